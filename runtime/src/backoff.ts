/**
 * Exponential back-off with full jitter: the n-th delay is drawn evenly from 0 to min(maxMs, baseMs · 2ⁿ), so that many
 * that failed together do not come back together (AWS Architecture Blog, "Exponential Backoff and Jitter").
 */

export interface Backoff {
  /** The delay before the next attempt, in milliseconds; the one after it will tend to be longer. */
  nextMs(): number;
  /** After a success. */
  reset(): void;
}

export function backoff(options: { baseMs: number; maxMs: number; random?: () => number }): Backoff {
  const random = options.random ?? Math.random;
  let ceilingMs = options.baseMs;
  return {
    nextMs() {
      const delayMs = Math.floor(random() * ceilingMs);
      ceilingMs = Math.min(options.maxMs, ceilingMs * 2);
      return delayMs;
    },
    reset() {
      ceilingMs = options.baseMs;
    },
  };
}
