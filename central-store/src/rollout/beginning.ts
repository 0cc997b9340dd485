/** How the roll-out of a published version begins: what every point has now, and whether all of them get it at once. */
import type { Proposals, PublishedVersion } from '../proposals/proposals.ts';
import type { WaveConfig } from './config.ts';
import { type PlanInputs, type PlanSlice, plannedRollout } from './plan.ts';
import { assigned, type RolloutState, WAY_BACK_IN_WORDS, wayBack } from './state.ts';
import type { VersionsInUse } from './versions-in-use.ts';

export interface Beginning {
  published: PublishedVersion;
  /** The roll-out before this one, however far it is. */
  before: RolloutState | null;
  proposals: Pick<Proposals, 'version'>;
  versions: VersionsInUse;
  waves: readonly WaveConfig[];
  nowMs: number;
}

/** Throws EDW_ERR_STORE_FOLDER. */
export async function begunRollout(inputs: Beginning): Promise<RolloutState> {
  const { published, before, versions, waves, nowMs } = inputs;
  const { payload, digest } = published;
  const { slices } = await versions.get(payload.version);
  const held = await heldNow(before, versions);
  const unconfirmed = unconfirmedIn(before);
  return plannedRollout({ payload, digest, slices, before: held, unconfirmed, waves, atOnce: atOnceOf(inputs), nowMs });
}

/** For the record. */
export function beginningOf(state: RolloutState, nowMs: number): string {
  const { version, waves, atOnce, points } = state;
  const changed = Object.values(points).filter((plan) => plan.changed).length;
  const how = atOnce === null ? `waves: ${waves.join(', ')}` : `to all at once: ${atOnce}`;
  const way = wayBack(state, nowMs);
  const back = way.state === 'open' ? '' : `; there is no way back: ${WAY_BACK_IN_WORDS[way.why]}`;
  return `version ${version}, ${how}; it changes ${changed} of ${Object.keys(points).length} points${back}`;
}

async function heldNow(before: RolloutState | null, versions: VersionsInUse): Promise<PlanInputs['before']> {
  const found = new Map<string, { version: number; slice: PlanSlice | null }>();
  const slices = new Map<number, Map<string, PlanSlice>>();
  for (const [point, version] of before === null ? [] : assigned(before)) {
    const ofVersion =
      slices.get(version) ?? new Map((await versions.get(version)).slices.map((slice) => [slice.point, slice]));
    slices.set(version, ofVersion);
    found.set(point, { version, slice: ofVersion.get(point) ?? null });
  }
  return found;
}

/** What nobody has confirmed is not taken for granted because something else was published meanwhile. */
function unconfirmedIn(before: RolloutState | null): readonly string[] {
  if (before === null) return [];
  const isAsked = before.phase.is !== 'done' && before.confirm?.by === null;
  return [...new Set([...before.unconfirmed, ...(isAsked ? (before.confirm?.objects ?? []) : [])])];
}

/** What ends by itself, what brings back what was there before the trouble, and what nobody knows the way of. */
function atOnceOf({ published: { payload }, before, proposals }: Beginning): RolloutState['atOnce'] {
  if (payload.breakGlass !== null) return 'break-glass';
  if (before === null) return payload.version === 1 ? null : 'state-lost';
  const wasStopped = before.phase.is === 'halted' || before.phase.is === 'returned';
  if (!wasStopped || before.version === 1) return null;
  const cameFrom = proposals.version(before.version - 1).payload.documents.digest;
  return cameFrom === payload.documents.digest ? 'restore' : null;
}
