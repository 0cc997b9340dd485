/**
 * How much of the ledger's time one sender of batches may take: one batch of each is under way at a time, each is kept to a
 * rate of batches and of records, and after each batch everybody else has a turn. Whoever is too early is told when to come
 * again, and keeps what he has: nothing waits here.
 */
import { setImmediate } from 'node:timers/promises';
import { type Clock, createRateLimit, createRecordQuota, createWorkQueue, type HttpFailure } from '@edgeward/runtime';

export interface BatchGate {
  /** Reads and stores one batch. Throws what `later` makes, and whatever these two throw. */
  pass<Batch extends { records: readonly unknown[] }, Answer>(
    sender: string,
    read: () => Promise<Batch>,
    store: (batch: Batch) => Promise<Answer>,
  ): Promise<Answer>;
}

export interface BatchGateOptions {
  batches: { perSecond: number; burst: number };
  recordsPerSecond: number;
  clock: Clock;
  /** What a sender is answered that has to come again. */
  later(status: 429 | 503, why: string, afterSeconds: number): HttpFailure;
  /** A batch was put off because its sender brings more records than that. */
  onDeferred?: ((sender: string) => void) | undefined;
}

/** Batches in memory, a megabyte each at most. */
const MOST_UNDER_WAY = 64;
const RETRY_S = 5;

export function createBatchGate(options: BatchGateOptions): BatchGate {
  const { recordsPerSecond, clock, later, onDeferred } = options;
  const limit = createRateLimit(options.batches);
  const quota = createRecordQuota(recordsPerSecond);
  const underWay = new Set<string>();
  const queue = createWorkQueue();

  function refusalOf(sender: string): HttpFailure | null {
    if (underWay.has(sender)) return later(429, `a batch of ${sender} is under way`, 1);
    if (underWay.size >= MOST_UNDER_WAY) return later(503, `${MOST_UNDER_WAY} batches are under way`, RETRY_S);
    const waitMs = limit.take(sender, clock.now());
    if (waitMs > 0) return later(429, `${sender} sends more than was agreed`, Math.ceil(waitMs / 1000));
    return deferred(sender, quota.waitMs(sender, clock.now()));
  }

  function deferred(sender: string, waitMs: number): HttpFailure | null {
    if (waitMs === 0) return null;
    onDeferred?.(sender);
    const why = `${sender} brings more than ${recordsPerSecond} records a second`;
    return later(429, why, Math.ceil(waitMs / 1000));
  }

  return {
    async pass(sender, read, store) {
      const refusal = refusalOf(sender);
      if (refusal !== null) throw refusal;
      underWay.add(sender);
      try {
        const batch = await read();
        const tooMany = deferred(sender, quota.take(sender, batch.records.length, clock.now()));
        if (tooMany !== null) throw tooMany;
        return await queue.run(async () => {
          // Between two batches everybody else has a turn.
          await setImmediate();
          return store(batch);
        });
      } finally {
        underWay.delete(sender);
      }
    },
  };
}
