/**
 * When the next snapshot is due: at a quiet moment, or when it has been slow for too long; never more often than reloads
 * are allowed. Pure: times come in.
 */
export interface SnapshotRules {
  /** Without a change for so long it is a quiet moment. */
  quietSeconds: number;
  /** Never that quiet: taken all the same. */
  maxSlowSeconds: number;
  reloadsPerHour: number;
  minSecondsBetween: number;
}

export interface SnapshotHistory {
  /** Since when something is asked about that a snapshot could say; null: nothing is. */
  slowSinceMs: number | null;
  lastChangeMs: number;
  /** Of reloads, in order; older than an hour need not be there. */
  reloadsMs: readonly number[];
  /** In a row. */
  failures: number;
  lastFailureMs: number;
}

const HOUR_MS = 3_600_000;
const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 600_000;

/** Of a clock that stepped back: what seems to come is as of now, so that nothing waits longer than the rules say. */
export function withoutFuture<T extends SnapshotHistory>(history: T, nowMs: number): T {
  const { slowSinceMs, lastChangeMs, reloadsMs, lastFailureMs } = history;
  return {
    ...history,
    slowSinceMs: slowSinceMs === null ? null : Math.min(slowSinceMs, nowMs),
    lastChangeMs: Math.min(lastChangeMs, nowMs),
    reloadsMs: reloadsMs.map((ms) => Math.min(ms, nowMs)),
    lastFailureMs: Math.min(lastFailureMs, nowMs),
  };
}

/** null: nothing to do. May be past. */
export function snapshotDueMs(history: SnapshotHistory, rules: SnapshotRules): number | null {
  const { slowSinceMs, lastChangeMs, reloadsMs, failures, lastFailureMs } = history;
  if (slowSinceMs === null) return null;
  const wanted = Math.min(lastChangeMs + rules.quietSeconds * 1000, slowSinceMs + rules.maxSlowSeconds * 1000);
  const last = reloadsMs.at(-1) ?? Number.NEGATIVE_INFINITY;
  const first = reloadsMs.at(-rules.reloadsPerHour) ?? Number.NEGATIVE_INFINITY;
  const retry = failures === 0 ? 0 : Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
  const allowed = [
    last + rules.minSecondsBetween * 1000,
    first + HOUR_MS,
    failures === 0 ? wanted : lastFailureMs + retry,
  ];
  return Math.max(wanted, ...allowed);
}
