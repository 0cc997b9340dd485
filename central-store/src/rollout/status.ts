/** A roll-out as people see it: `rollout` in `GET /v1/status`. Lists are cut; the counts beside them are whole. */
import { progressOf, type Settings, type Standing, standingOf } from './progress.ts';
import type { Sights } from './sight.ts';
import { type RolloutState, type Trouble, WAY_BACK_IN_WORDS, wayBack } from './state.ts';

export interface RolloutStatus {
  /** `confirming`: it is everywhere, and waits for a person. */
  state: 'none' | 'rolling' | 'confirming' | 'halted' | 'returned' | 'done';
  version: number | null;
  startedAt: string | null;
  /** Why it went to all points at once. */
  atOnce: RolloutState['atOnce'];
  /** 1, 2, 3 …; the last one when it is done. */
  wave: number | null;
  waves: WaveStatus[];
  trouble: Trouble[];
  /** Who halted or returned it, and why. */
  stopped: { at: string; by: string; why: string } | null;
  confirm: { objects: string[]; until: string | null; by: string | null } | null;
  wayBack: { state: 'open'; until: string } | { state: 'closed'; why: string } | null;
  /** Points that keep the version although it was returned: they did not come from the one right before it. */
  stayed: string[];
  /** Points that a person let pass. */
  excused: string[];
}

/** Of the points that it adds to those of the waves before. */
export interface WaveStatus {
  title: string;
  points: number;
  counts: { [standing in Standing]: number };
  /** Named: those that it waits for, and those that are away. */
  applying: string[];
  settling: string[];
  away: string[];
}

const MAX_NAMED = 20;

export const NO_ROLLOUT: RolloutStatus = {
  ...{ state: 'none', version: null, startedAt: null, atOnce: null, wave: null, waves: [], trouble: [], stopped: null },
  ...{ confirm: null, wayBack: null, stayed: [], excused: [] },
};

export function rolloutStatus(state: RolloutState, sights: Sights, nowMs: number, settings: Settings): RolloutStatus {
  const { phase, confirm } = state;
  const isStopped = phase.is === 'halted' || phase.is === 'returned';
  return {
    state: isConfirming(state) ? 'confirming' : phase.is,
    version: state.version,
    startedAt: instant(state.startedMs),
    atOnce: state.atOnce,
    wave: phase.is === 'done' ? state.waves.length : Math.max(phase.wave, 0) + 1,
    waves: wavesOf(state, sights, nowMs, settings),
    trouble: (isStopped ? phase.trouble : progressOf(state, sights, nowMs, settings).trouble).slice(0, MAX_NAMED),
    stopped: isStopped ? { at: instant(phase.atMs), by: phase.by, why: phase.why } : null,
    confirm:
      confirm === null
        ? null
        : {
            objects: confirm.objects.slice(0, MAX_NAMED),
            until: confirm.dueMs === null ? null : instant(confirm.dueMs),
            by: confirm.by,
          },
    wayBack: wayBackOf(state, nowMs),
    stayed: phase.is === 'returned' ? namesWhere(state, (plan) => plan.movedMs !== null) : [],
    excused: state.excused.slice(0, MAX_NAMED),
  };
}

function isConfirming({ phase, confirm }: RolloutState): boolean {
  return phase.is === 'rolling' && confirm !== null && confirm.by === null && confirm.dueMs !== null;
}

function wayBackOf(state: RolloutState, nowMs: number): RolloutStatus['wayBack'] {
  const way = wayBack(state, nowMs);
  return way.state === 'open'
    ? { state: 'open', until: instant(way.untilMs) }
    : { state: 'closed', why: WAY_BACK_IN_WORDS[way.why] };
}

function wavesOf(state: RolloutState, sights: Sights, nowMs: number, settings: Settings): WaveStatus[] {
  const waves = state.waves.map((title): WaveStatus => {
    const counts = { waiting: 0, same: 0, away: 0, applying: 0, settling: 0, settled: 0 };
    return { title, points: 0, counts, applying: [], settling: [], away: [] };
  });
  for (const [point, plan] of Object.entries(state.points)) {
    const wave = waves[plan.wave];
    if (wave === undefined) continue;
    const standing = standingOf(point, plan, sights, nowMs, settings);
    wave.points += 1;
    wave.counts[standing] += 1;
    const isNamed = standing === 'applying' || standing === 'settling' || standing === 'away';
    if (isNamed && wave[standing].length < MAX_NAMED) wave[standing].push(point);
  }
  return waves;
}

function namesWhere({ points }: RolloutState, isIt: (plan: RolloutState['points'][string]) => boolean): string[] {
  const names = Object.entries(points).flatMap(([point, plan]) => (isIt(plan) ? [point] : []));
  return names.slice(0, MAX_NAMED);
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
