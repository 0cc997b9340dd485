/** How far a roll-out is, looked at now, and what is wrong with it. What becomes of it is decided by whoever asks. */
import type { RolloutConfig } from './config.ts';
import { AWAY_MS, isHearing, isPresent, type Sight, type Sights } from './sight.ts';
import type { PointPlan, RolloutState, Trouble } from './state.ts';

/** What a wave still waits for. */
export interface Progress {
  trouble: Trouble[];
  applying: string[];
  settling: string[];
  away: string[];
}

export type Settings = Pick<RolloutConfig, 'settleSeconds' | 'applyTimeoutSeconds' | 'denySpike' | 'denyFloor'>;

export type Standing =
  /** It does not have the version, and is not to have it now. */
  | 'waiting'
  /** Its rules are those from before: there is nothing to wait for. */
  | 'same'
  | 'away'
  | 'applying'
  /** It has applied the version, and not been heard for long enough since. */
  | 'settling'
  | 'settled';

const MS_PER_HOUR = 3_600_000;

/** Of all points that have the version, but those that a person let pass. */
export function progressOf(state: RolloutState, sights: Sights, nowMs: number, settings: Settings): Progress {
  const found: Progress = { trouble: [], applying: [], settling: [], away: [] };
  const excused = new Set(state.excused);
  let waited = 0;
  for (const [point, plan] of Object.entries(state.points)) {
    if (plan.movedMs === null || excused.has(point)) continue;
    const standing = standingOf(point, plan, sights, nowMs, settings);
    if (standing !== 'same') waited += 1;
    if (standing === 'away' || standing === 'applying' || standing === 'settling') found[standing].push(point);
    const trouble = troubleAt(point, plan, standing, { sights, nowMs, settings });
    if (trouble !== null) found.trouble.push(trouble);
  }
  if (found.away.length === waited && isHearing(sights, nowMs))
    found.trouble.push(...silence(state, found.away, sights));
  return found;
}

export function standingOf(
  point: string,
  { movedMs, changed }: PointPlan,
  sights: Sights,
  nowMs: number,
  { settleSeconds }: Pick<Settings, 'settleSeconds'>,
): Standing {
  if (movedMs === null) return 'waiting';
  if (!changed) return 'same';
  const sight = sights.points.get(point);
  if (!isPresent(sight, sights, movedMs, nowMs)) return 'away';
  if (sight === undefined || sight.appliedMs === null) return 'applying';
  // It has to have said so: that nothing was heard of trouble is no sign of none.
  return sight.heardMs < sight.appliedMs + settleSeconds * 1000 ? 'settling' : 'settled';
}

interface Look {
  sights: Sights;
  nowMs: number;
  settings: Settings;
}

function troubleAt(point: string, plan: PointPlan, standing: Standing, look: Look): Trouble | null {
  const sight = look.sights.points.get(point);
  if (sight !== undefined && sight.nack !== null) {
    const { revision, stage, code } = sight.nack;
    return { point, kind: 'nack', message: `it refused revision ${revision}: ${stage}: ${code}` };
  }
  if (standing === 'applying') return lateness(point, plan, sight, look);
  return plan.changed && sight !== undefined ? spike(point, plan, sight, look.settings) : null;
}

function spike(point: string, { deniedPerHour }: PointPlan, { denials }: Sight, settings: Settings): Trouble | null {
  if (denials === null || denials.count <= settings.denyFloor) return null;
  const perHour = (denials.count / Math.max(denials.forMs, 1_000)) * MS_PER_HOUR;
  if (perHour <= settings.denySpike * deniedPerHour) return null;
  const rates = `${Math.round(perHour)} an hour after ${Math.round(deniedPerHour)} an hour`;
  return { point, kind: 'denials', message: `it denied ${denials.count} since it applied the version: ${rates}` };
}

/** Its time runs while it can be reached. */
function lateness(
  point: string,
  { movedMs }: PointPlan,
  sight: Sight | undefined,
  { sights, nowMs, settings: { applyTimeoutSeconds } }: Look,
): Trouble | null {
  const sinceMs = Math.max(movedMs ?? nowMs, sight?.presentMs ?? 0, sight?.servedMs ?? 0, sights.sinceMs);
  if (nowMs - sinceMs <= applyTimeoutSeconds * 1000) return null;
  return {
    point,
    kind: 'not-applied',
    message: `it has not applied the version within ${applyTimeoutSeconds} seconds`,
  };
}

/** Nobody is left to ask. Whoever was there when it was given the version, and is not any more, may be so because of it. */
function silence({ points }: RolloutState, away: readonly string[], { points: sights }: Sights): Trouble[] {
  const fell = away.find((point) => {
    const heardMs = sights.get(point)?.heardMs;
    const movedMs = points[point]?.movedMs ?? null;
    return heardMs !== undefined && movedMs !== null && heardMs >= movedMs - AWAY_MS;
  });
  if (fell === undefined) return [];
  const message = 'it fell silent when it was given the version, and no other point is left that could tell';
  return [{ point: fell, kind: 'silent', message }];
}
