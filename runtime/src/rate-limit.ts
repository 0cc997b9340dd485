/**
 * Token buckets, one a key: `burst` at once, then `perSecond`. A key that was silent long enough to be full again is
 * forgotten, so that the memory is bounded by who is active. It counts and decides; it never waits.
 */
export interface RateLimit {
  /** 0 when it passes; else in how many milliseconds it would. */
  take(key: string, nowMs: number): number;
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
    take(key, nowMs) {
      sweep(nowMs);
      const known = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
      // A clock that is set back gives nothing and takes nothing.
      const grown = Math.max(0, nowMs - known.atMs) * (perSecond / 1000);
      const tokens = Math.min(burst, known.tokens + grown);
      const passes = tokens >= 1;
      buckets.set(key, { tokens: passes ? tokens - 1 : tokens, atMs: nowMs });
      return passes ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
    },
    get size() {
      return buckets.size;
    },
  };
}
