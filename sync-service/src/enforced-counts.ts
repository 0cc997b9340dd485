import type { Collector } from '@edgeward/audit-collector';
import type { VerdictCounts } from '@edgeward/nginx-njs';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { DenialCounts } from './denial-counts.ts';
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
