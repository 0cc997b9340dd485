/** Deletes what is older than is kept, every hour and in steps, so that nobody who stores or asks waits for it. */
import { setImmediate, setInterval } from 'node:timers/promises';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { Ledger } from './ledger/ledger.ts';

export interface RetentionOptions {
  ledger: Pick<Ledger, 'prune'>;
  /** Days that an event is kept, counted from its storing. */
  retainDays: number;
  /** Days that counts by minute and hour are kept, and edges after their last denial. */
  retainRollupDays: number;
  now: () => number;
  logger: Logger;
  signal: AbortSignal;
}

const dayMs = 86_400_000;
const intervalMs = 3_600_000;
const rowsInStep = 2_000;

/** Until the signal; what fails is told, and tried again in an hour. */
export async function keepRetention(options: RetentionOptions): Promise<void> {
  const { logger, signal } = options;
  const report = (thrown: unknown): void => logger.error({ event: 'retention_failed', err: thrown }, messageOf(thrown));
  await prune(options).catch(report);
  const hours = setInterval(intervalMs, null, { ref: false, signal });
  try {
    for await (const _ of hours) await prune(options).catch(report);
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}

async function prune({ ledger, retainDays, retainRollupDays, now, signal }: RetentionOptions): Promise<void> {
  const before = (days: number): number => now() - days * dayMs;
  const retention = { eventsBeforeMs: before(retainDays), rollupsBeforeMs: before(retainRollupDays) };
  while (!signal.aborted && (await ledger.prune(retention, rowsInStep)) === rowsInStep) await setImmediate();
}
