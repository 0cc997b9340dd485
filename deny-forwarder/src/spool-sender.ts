/**
 * Sends what the spool holds: one batch at a time, from the first record that was not acknowledged, again and again until it
 * is. The collector stores a record once however often it comes. Nothing is given up, whatever is answered: what can't be sent
 * stays, and why is said. A collector that is well hears now and then that there is nothing.
 */
import { type BatchSender, type BatchSent, fitting, type Waiting } from '@edgeward/deny-log';
import { type DenySpool, type Sent, type StoredRecord, startSending } from '@edgeward/deny-spool';
import { backoff, type Clock, EdgewardError, type Logger, messageOf, pauseFor } from '@edgeward/runtime';
import type { ForwarderCounts } from './forwarder-metrics.ts';

export interface SpoolSender {
  /** There is something new, of which the oldest was denied then. */
  wake(fromMs: number): void;
  /** Why the last batch did not get through; null: it did. */
  error(): EdgewardError | null;
  lastAcknowledgedMs(): number;
  /** When the oldest record that waits was denied, by the clock of NGINX; null: none waits. */
  oldestMs(): number | null;
  /** What is under way is waited for, but not for long. */
  close(): Promise<void>;
}

export interface SpoolSenderOptions {
  spool: DenySpool;
  sender: BatchSender;
  /** Of the log, for the collector to know. */
  unreadBytes: () => number;
  counts: Pick<ForwarderCounts, 'sent' | 'acknowledged' | 'retried'>;
  clock: Clock;
  logger: Logger;
  /** How often a collector hears that there is nothing: 15 s. */
  idleMs?: number | undefined;
}

const BATCH = { records: 5_000, bytes: 900 * 1024 };
/** Between two batches, where the first was not full: many small ones cost more than few. */
const PACE_MS = 100;
const CLOSE_MS = 2_000;

export function startSpoolSender(options: SpoolSenderOptions): SpoolSender {
  const { spool, sender, counts, clock, logger, idleMs = 15_000 } = options;
  let lastAcknowledgedMs = 0;
  let error: EdgewardError | null = null;
  let oldestMs: number | null = null;
  /** Fewer after a batch that was too large for whatever stands in between. */
  let most = BATCH.records;

  async function sendBatch(found: readonly StoredRecord[]): Promise<Sent> {
    if (found.length > 0) oldestMs = timeOf(found[0]) ?? oldestMs;
    const startedMs = clock.now();
    const sent = await sender.send({ epoch: spool.epoch, records: found, waiting: waitingBehind(found.length) });
    counts.sent(found.length, Math.max(0, clock.now() - startedMs) / 1000);
    if (sent.state !== 'acknowledged') return notSent(sent, found.length);
    tellOfSuccess();
    const stored = found.filter(({ seq }) => seq <= sent.acknowledged).length;
    counts.acknowledged(stored);
    if (stored > 0) lastAcknowledgedMs = clock.now();
    if (spool.status().pending <= stored) oldestMs = null;
    return { state: 'acknowledged', seq: sent.acknowledged };
  }

  function waitingBehind(records: number): Waiting {
    const { pending, shed } = spool.status();
    return { records: pending - records, unreadBytes: options.unreadBytes(), shed: shed?.count ?? 0 };
  }

  function tellOfSuccess(): void {
    if (error !== null) logger.info({ event: 'denials_sent_again' }, 'denials reach the collector again');
    error = null;
    most = Math.min(BATCH.records, most * 2);
  }

  function notSent(sent: Exclude<BatchSent, { state: 'acknowledged' }>, records: number): Sent {
    counts.retried(sent.state);
    // Not now is no trouble, but a ledger that can't be written is.
    if (sent.state === 'later' && sent.error.code === 'EDW_ERR_BATCH_LATER') return later(sent.afterMs);
    told(sent.error);
    if (sent.state === 'later') return later(sent.afterMs);
    if (sent.state === 'refused' && sent.status === 413) most = Math.max(1, Math.floor(records / 2));
    return { state: 'again' };
  }

  function told(thrown: EdgewardError): void {
    const { code, message, mend } = thrown;
    if (error?.code !== code) logger.warn({ event: 'denials_not_sent', code, mend }, message);
    error = thrown;
  }

  const sending = startSending({
    ...{ spool, fitting, send: sendBatch, clock },
    // More than a whole batch waits: then at once.
    paceMs: () => (spool.status().pending > most ? 0 : PACE_MS),
    failed(thrown) {
      told(thrown instanceof EdgewardError ? thrown : unreadable(thrown));
      return { state: 'again' };
    },
    bounds: () => ({ ...BATCH, records: most }),
    idle: { ms: idleMs, isSent: true },
    pauses: backoff({ baseMs: 500, maxMs: 30_000 }),
  });

  return {
    wake: (fromMs) => {
      oldestMs ??= fromMs;
      sending.wake();
    },
    error: () => error,
    lastAcknowledgedMs: () => lastAcknowledgedMs,
    oldestMs: () => (spool.status().pending === 0 ? null : oldestMs),
    close: async () => {
      const over = sending.close();
      const late = pauseFor(clock, CLOSE_MS);
      await Promise.race([over, late.over]);
      late.end();
      sender.close();
      await over;
    },
  };
}

function later(afterMs: number): Sent {
  return { state: 'later', afterMs };
}

/** The disk of the spool: what was on its way is sent again. */
function unreadable(thrown: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_SPOOL_READ', `reading the spool: ${messageOf(thrown)}`, {
    mend: 'Check the disk (dmesg) and that the folder of the spool belongs to the forwarder. It is tried again.',
    cause: thrown,
  });
}

/** Whatever stands in the first record: when it was denied, or when its window began. */
function timeOf(first: StoredRecord | undefined): number | null {
  if (first === undefined) return null;
  const { denial, firstMs, windowStart } = JSON.parse(first.record) as {
    denial?: { t: number };
    firstMs?: number;
    windowStart?: string;
  };
  return firstMs ?? denial?.t ?? (windowStart === undefined ? null : Date.parse(windowStart));
}
