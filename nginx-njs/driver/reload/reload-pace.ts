/**
 * When NGINX may be reloaded again: never sooner than a shortest distance after the last time, and in any hour no more
 * often than agreed. Half of an hour's reloads are there at once, the other half comes back evenly, so that even after a
 * storm of changes the next one waits no longer than the time in which one comes back.
 */
export interface ReloadPace {
  /** How long a reload has to wait now; 0: it may go. */
  waitMs(nowMs: number): number;
  /** One was asked for. */
  took(nowMs: number): void;
  /** No change waits longer. */
  readonly longestWaitMs: number;
}

const hourMs = 3_600_000;

export function createReloadPace(of: { reloadsPerHour: number; minSecondsBetween: number }): ReloadPace {
  const burst = Math.floor(of.reloadsPerHour / 2);
  const everyMs = hourMs / (of.reloadsPerHour - burst);
  const leastMs = of.minSecondsBetween * 1000;
  /** How many are there, at the time of the last reload. */
  let left = burst;
  let lastMs: number | null = null;

  /** A clock that stepped back has not run at all. */
  const passedMs = (nowMs: number): number => (lastMs === null ? 0 : Math.max(0, nowMs - lastMs));
  const leftNow = (nowMs: number): number => Math.min(burst, left + passedMs(nowMs) / everyMs);

  return {
    longestWaitMs: Math.ceil(Math.max(everyMs, leastMs)),
    waitMs(nowMs) {
      if (lastMs === null) return 0;
      const untilOneMs = Math.max(0, (1 - leftNow(nowMs)) * everyMs);
      return Math.ceil(Math.max(untilOneMs, leastMs - passedMs(nowMs)));
    },
    took(nowMs) {
      left = leftNow(nowMs) - 1;
      lastMs = nowMs;
    },
  };
}
