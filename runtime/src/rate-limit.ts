/**
 * Token buckets, one a key: `burst` at once, then `perSecond`. A key that was silent long enough to be full again is
 * forgotten, so that the memory is bounded by who is active. It counts and decides; it never waits.
 */
export interface RateLimit {
  /**
   * 0 when it passes; else in how many milliseconds it would. `share`: the key stands for so many, and may do as much as all
   * of them: 1 without it.
   */
  take(key: string, nowMs: number, share?: number): number;
  /** Keys that are remembered. */
  readonly size: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export function createRateLimit(options: { perSecond: number; burst: number }): RateLimit {
  const { perSecond, burst } = options;
  const buckets = new Map<string, Bucket>();
  const refillMs = (burst / perSecond) * 1000;
  let sweptMs = Number.NEGATIVE_INFINITY;

  /** Once a refill: what has not moved since then is full. */
  function sweep(nowMs: number): void {
    if (nowMs - sweptMs < refillMs) return;
    sweptMs = nowMs;
    for (const [key, { atMs }] of buckets) if (nowMs - atMs >= refillMs) buckets.delete(key);
  }

  return {
    take(key, nowMs, share = 1) {
      sweep(nowMs);
      const most = burst * share;
      const perMs = (perSecond * share) / 1000;
      const known = buckets.get(key) ?? { tokens: most, atMs: nowMs };
      // A clock that is set back gives nothing and takes nothing.
      const tokens = Math.min(most, known.tokens + Math.max(0, nowMs - known.atMs) * perMs);
      const passes = tokens >= 1;
      buckets.set(key, { tokens: passes ? tokens - 1 : tokens, atMs: nowMs });
      return passes ? 0 : Math.ceil((1 - tokens) / perMs);
    },
    get size() {
      return buckets.size;
    },
  };
}
