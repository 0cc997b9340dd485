/**
 * A published version becomes a roll-out: each point its wave, what it comes from, and whether anything changes there.
 * Made once, when the version is published, and kept: what is edited in the configuration later counts for the next one.
 */
import type { RuleObject } from '@edgeward/policy';
import { type Approval, type Digest, digestOf } from '@edgeward/policy-format';
import { type WaveConfig, waveTitle } from './config.ts';
import type { Confirm, PointPlan, RolloutState } from './state.ts';
import { waveSelector } from './wave-selector.ts';

export interface PlanInputs {
  payload: Approval;
  /** Of the payload. */
  digest: Digest;
  slices: readonly PlanSlice[];
  /** What points have now, by name: the version, and its rules where it has any for them. */
  before: ReadonlyMap<string, { version: number; slice: PlanSlice | null }>;
  /** Objects that nobody has confirmed of the roll-out before this one. */
  unconfirmed: readonly string[];
  waves: readonly WaveConfig[];
  atOnce: RolloutState['atOnce'];
  nowMs: number;
}

export interface PlanSlice {
  point: string;
  rules: { readonly objects: readonly Readonly<Pick<RuleObject, 'name' | 'labels' | 'mode'>>[] };
  digest: Digest;
}

const ALL: readonly WaveConfig[] = [{ all: true }];

/** Before its first wave: nothing is moved in it. */
export function plannedRollout(inputs: PlanInputs): RolloutState {
  const { payload, digest, atOnce, nowMs, before } = inputs;
  const waves = atOnce === null ? inputs.waves : ALL;
  const waveOf = wavesOf(inputs.slices, waves);
  const points: { [point: string]: PointPlan } = Object.create(null);
  for (const slice of inputs.slices) {
    const was = before.get(slice.point);
    points[slice.point] = {
      wave: waveOf.get(slice.point) ?? waves.length - 1,
      from: was?.version ?? null,
      changed: was?.slice?.digest !== slice.digest,
      gone: false,
      movedMs: null,
      deniedPerHour: 0,
    };
  }
  for (const [point, { version }] of before)
    points[point] ??= {
      wave: waves.length,
      from: version,
      changed: false,
      gone: true,
      movedMs: null,
      deniedPerHour: 0,
    };
  return {
    format: 1,
    version: payload.version,
    digest,
    startedMs: nowMs,
    returnUntilMs: payload.returnUntil === null ? null : Date.parse(payload.returnUntil),
    waves: waves.map(waveTitle),
    atOnce,
    phase: { is: 'rolling', wave: -1, sinceMs: nowMs },
    confirm: confirmOf(inputs),
    unconfirmed: atOnce === null ? [] : [...inputs.unconfirmed],
    excused: [],
    points,
  };
}

/** The first wave of each point. Waves are cumulative, so a later one adds what it has beyond those before. */
export function wavesOf(slices: readonly PlanSlice[], waves: readonly WaveConfig[]): Map<string, number> {
  const first = new Map<string, number>();
  waves.forEach((wave, index) => {
    for (const point of membersOf(slices, wave)) if (!first.has(point)) first.set(point, index);
  });
  return first;
}

function membersOf(slices: readonly PlanSlice[], { match, percent }: WaveConfig): string[] {
  if (percent !== undefined) return chosen(slices, percent);
  const selector = match === undefined ? null : waveSelector(match);
  // It was read when the configuration was; a wave that is unreadable all the same is one that nobody is in.
  if (selector !== null && 'error' in selector) return [];
  const isIn = ({ rules }: PlanSlice): boolean =>
    selector === null || rules.objects.some(({ labels }) => selector.selects(labels));
  return slices.filter(isIn).map(({ point }) => point);
}

/** By the rank of their hashes: the same points every time, never more than the share and never none. */
function chosen(slices: readonly PlanSlice[], percent: number): string[] {
  const ranked = slices
    .map(({ point }) => ({ point, hash: digestOf(point) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  return ranked.slice(0, Math.ceil((slices.length * percent) / 100)).map(({ point }) => point);
}

/** What goes to all at once is brought back to what was there, or ends by itself: nobody is asked. */
function confirmOf({ payload, slices, before, unconfirmed, atOnce }: PlanInputs): Confirm | null {
  if (atOnce !== null || payload.version === 1) return null;
  const enforcedBefore = new Set<string>();
  for (const { slice } of before.values()) for (const name of enforcedIn(slice?.rules)) enforcedBefore.add(name);
  for (const name of unconfirmed) enforcedBefore.delete(name);
  const objects = new Set<string>();
  for (const { rules } of slices)
    for (const name of enforcedIn(rules)) if (!enforcedBefore.has(name)) objects.add(name);
  return objects.size === 0 ? null : { objects: [...objects].sort(), dueMs: null, by: null };
}

function enforcedIn(rules: PlanSlice['rules'] | undefined): string[] {
  return (rules?.objects ?? []).filter(({ mode }) => mode === 'enforce').map(({ name }) => name);
}
