import type { Collector } from '@edgeward/audit-collector';
import type { VerdictCounts } from '@edgeward/nginx-njs';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { DenialCounts } from './denial-counts.ts';
import type { ServedPoint } from './served-point.ts';
import type { UnwrittenDenials } from './unwritten-denials.ts';

const COUNTS_INTERVAL_MS = 2000;

/** Hands NGINX's own exact totals to the collector, so that what was enforced and what is in the ledger can be compared. */
export function followCounts(
  served: ServedPoint[],
  collector: Collector,
  unwritten: UnwrittenDenials,
  denials: DenialCounts,
  logger: Logger,
): () => void {
  const ask = async (it: ServedPoint): Promise<void> => {
    if (it.counts === null) return denials.begin(it.name);
    const { epoch, counts, waiting } = await it.counts();
    const denied = counts.filter((count) => count.verdict === 'deny' || count.verdict === 'would-deny');
    const lost = counts.filter((count) => count.verdict === 'lost').reduce((sum, count) => sum + count.total, 0);
    // First: what has a cause is not to be looked for in the log.
    unwritten.read(it.name, epoch, lost);
    await collector.setEnforcedCounts(it.name, summed(denied), epoch, waiting);
    denials.begin(it.name);
  };
  const underWay = new Set<string>();
  const timer = setInterval(() => {
    // A ledger that is slow is asked once at a time: readings would pile up in front of denials.
    for (const it of served.filter(({ name }) => !underWay.has(name))) {
      underWay.add(it.name);
      // The reconciler says that a point is away; here it only means that there is nothing to compare yet.
      ask(it)
        .catch((cause: unknown) =>
          logger.debug({ event: 'counts_unavailable', point: it.name, cause: messageOf(cause) }, 'no counters'),
        )
        .finally(() => underWay.delete(it.name));
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
