/**
 * Denials of one point over the last hour, from counters that may begin anew. One sample a minute is kept, so that a point
 * costs the same however often it reports.
 */
import type { PointReport } from '@edgeward/policy-format';
import { MAX_SERVICES } from './sight.ts';

export interface DenialHistory {
  add(report: Pick<PointReport, 'service' | 'denials'>, nowMs: number): void;
  /** Since the first report. */
  total(): number;
  /** Over the last hour, or as long as is known. */
  perHour(nowMs: number): number;
  /** Samples and counters. */
  kept(): number;
}

const HOUR_MS = 3_600_000;
const EVERY_MS = 60_000;
/** A counter that is younger says nothing about an hour. */
const LEAST_MS = 300_000;

interface Counter {
  service: string;
  total: number;
  sinceMs: number;
}

export function createDenialHistory(): DenialHistory {
  /** By service and beginning: of two services with one name each has its own. */
  const counters = new Map<string, Counter>();
  const samples: { atMs: number; total: number }[] = [];
  let total = 0;
  /** What the counters said of the time before the first report here. */
  let earlier = { count: 0, fromMs: Number.POSITIVE_INFINITY };

  /** Of one beginning a counter only grows: what comes with less, or from before another beginning, comes late. */
  function added({ service, denials }: Parameters<DenialHistory['add']>[0]): number {
    const key = `${denials.sinceMs} ${service}`;
    const before = counters.get(key);
    const isBegunAnew = [...counters.values()].some((it) => it.service === service && it.sinceMs < denials.sinceMs);
    counters.delete(key);
    counters.set(key, { service, ...denials, total: Math.max(denials.total, before?.total ?? 0) });
    for (const name of [...counters.keys()].slice(0, -MAX_SERVICES)) counters.delete(name);
    if (before !== undefined) return Math.max(0, denials.total - before.total);
    return isBegunAnew ? denials.total : 0;
  }

  return {
    add(report, nowMs) {
      if (samples.length === 0) {
        const { sinceMs, total: count } = report.denials;
        if (nowMs - sinceMs >= LEAST_MS) earlier = { count, fromMs: sinceMs };
      }
      total += added(report);
      const last = samples.at(-1);
      if (last === undefined || nowMs - last.atMs >= EVERY_MS) samples.push({ atMs: nowMs, total });
      while (samples.length > 2 && (samples[1]?.atMs ?? nowMs) <= nowMs - HOUR_MS) samples.shift();
    },
    total: () => total,
    kept: () => samples.length + counters.size,
    perHour(nowMs) {
      const [first] = samples;
      if (first === undefined) return 0;
      const ownMs = nowMs - first.atMs;
      const own = total - first.total;
      // A service that has counted for days before it was heard of here has an hour to show as well.
      const missingMs = Math.max(0, HOUR_MS - ownMs);
      const earlierMs = Math.max(0, Math.min(missingMs, first.atMs - earlier.fromMs));
      const lifeMs = first.atMs - earlier.fromMs;
      const before = earlierMs > 0 ? (earlier.count * earlierMs) / lifeMs : 0;
      const forMs = ownMs + earlierMs;
      return forMs < LEAST_MS ? 0 : ((own + before) / forMs) * HOUR_MS;
    },
  };
}
