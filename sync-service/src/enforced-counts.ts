import type { Collector } from '@edgeward/audit-collector';
import type { VerdictCounts } from '@edgeward/nginx-njs';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { ServedPoint } from './served-point.ts';
import type { ServiceMetrics } from './service-metrics.ts';

const COUNTS_INTERVAL_MS = 2000;

/** Hands NGINX's own exact totals to the collector, so that what was enforced and what is in the ledger can be compared. */
export function followCounts(
  served: ServedPoint[],
  collector: Collector,
  metrics: ServiceMetrics,
  denials: DenialCounts,
  logger: Logger,
): () => void {
  const ask = async (it: ServedPoint): Promise<void> => {
    if (it.counts === null) return denials.begin(it.name);
    const { epoch, counts } = await it.counts();
    const denied = counts.filter((count) => count.verdict === 'deny' || count.verdict === 'would-deny');
    collector.setEnforcedCounts(it.name, summed(denied), epoch);
    denials.begin(it.name);
    metrics.lostAtPoint(
      it.name,
      counts.filter((count) => count.verdict === 'lost').reduce((sum, count) => sum + count.total, 0),
    );
  };
  const timer = setInterval(() => {
    for (const it of served) {
      // The reconciler says that a point is away; here it only means that there is nothing to compare yet.
      ask(it).catch((cause: unknown) =>
        logger.debug({ event: 'counts_unavailable', point: it.name, cause: messageOf(cause) }, 'no counters'),
      );
    }
  }, COUNTS_INTERVAL_MS).unref();
  return () => clearInterval(timer);
}

/** By bind, which NGINX counts by: a name may change while its total goes on. */
function summed(counts: VerdictCounts['counts']): { object: string; reason: string; count: number }[] {
  const sums = new Map<string, { object: string; reason: string; count: number }>();
  for (const { bind, reason, total } of counts) {
    const key = `${bind}\t${reason}`;
    const sum = sums.get(key) ?? { object: bind, reason, count: 0 };
    sum.count += total;
    sums.set(key, sum);
  }
  return [...sums.values()];
}

/** Denials at each point since this service counts them: for a store, which makes a rate of them. */
export interface DenialCounts {
  /** From now on, once for each point: what was denied in earlier lives of this service would look like an attack of now. */
  begin(point: string): void;
  /** `total` only grows while `sinceMs` stays. */
  of(point: string): { total: number; sinceMs: number };
}

export function countDenials(collector: Pick<Collector, 'status' | 'listeners'>, nowMs: () => number): DenialCounts {
  const counters = new Map<string, { first: number; last: number; sinceMs: number }>();
  const startedAtMs = nowMs();
  return {
    begin(point) {
      const first = counters.has(point) ? null : enforcedAt(point, collector);
      if (first !== null) counters.set(point, { first, last: 0, sinceMs: nowMs() });
    },
    of(point) {
      const counter = counters.get(point);
      if (counter === undefined) return { total: 0, sinceMs: startedAtMs };
      counter.last = Math.max(counter.last, (enforcedAt(point, collector) ?? 0) - counter.first);
      return { total: counter.last, sinceMs: counter.sinceMs };
    },
  };
}

/** Over all its lives; null where nobody can say. */
function enforcedAt(point: string, collector: Pick<Collector, 'status' | 'listeners'>): number | null {
  try {
    const log = collector.status().find((it) => it.point === point);
    const listener = collector.listeners().find((it) => it.point === point);
    return log?.enforced ?? listener?.observed ?? null;
  } catch {
    return null; // The status says that the ledger can't be read.
  }
}
