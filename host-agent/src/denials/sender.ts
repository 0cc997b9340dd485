/**
 * Sends what the spool holds: one batch at a time, from the first record that the service has not acknowledged, again and again
 * until it has. The service stores a record once however often it comes. Nothing is given up: what can't be sent stays.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type DenySpool, type Sent, type StoredRecord, startSending } from '@edgeward/deny-spool';
import { backoff, type Clock, EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { formatDenialBatch } from '../../protocol/index.ts';
import type { SendDenials } from '../parts.ts';
import { numbered } from './denial-record.ts';

export interface Sender {
  /** There may be something new, of which the oldest was denied then. */
  wake(fromMs: number): void;
  /** When the oldest record that waits was denied; null: none waits. */
  oldestMs(): number | null;
  /** Why the last batch did not get through; null where it did. */
  warning(): string | null;
  /** What is on its way is waited for, so long as the sending itself takes. */
  close(): Promise<void>;
}

export interface SenderOptions {
  spool: DenySpool;
  send: SendDenials;
  clock: Clock;
  logger: Logger;
}

const BATCH = { records: 500, bytes: 512 * 1024 };
const IDLE_MS = 60_000;
/** The service takes four batches a second of one host. */
const PACE_MS = 300;
const compress = promisify(gzip);

export function startSender({ spool, send, clock, logger }: SenderOptions): Sender {
  let warned: string | null = null;
  let oldestMs: number | null = null;

  async function sendBatch(found: readonly StoredRecord[]): Promise<Sent> {
    const records = found.map(({ seq, record }) => numbered(seq, record));
    // Of what waited when the agent began, and of what is behind the batch before.
    if (records[0] !== undefined) oldestMs = Date.parse(records[0].windowStart);
    const answer = await send(await compress(formatDenialBatch({ epoch: spool.epoch, records })));
    if (answer.epoch !== spool.epoch) throw new Error('the service answers for another spool');
    if (answer.acknowledged < (found[0]?.seq ?? 0)) throw new Error('the service has stored none of them');
    if (warned !== null) logger.info({ event: 'denials_sent_again' }, 'denials reach the service again');
    warned = null;
    const stored = found.filter(({ seq }) => seq <= answer.acknowledged).length;
    if (spool.status().pending <= stored) oldestMs = null;
    return { state: 'acknowledged', seq: answer.acknowledged };
  }

  function failed(thrown: unknown): Sent {
    // Not now is no trouble.
    if (codeOf(thrown) === 'EDW_ERR_SERVICE_BUSY')
      return { state: 'later', afterMs: Math.max(1_000, retryAfterMs(thrown)) };
    const why = `sending denials: ${messageOf(thrown)}`;
    if (warned === null) logger.warn({ event: 'denials_not_sent', code: codeOf(thrown) }, why);
    warned = why;
    return { state: 'again' };
  }

  const sending = startSending({
    ...{ spool, send: sendBatch, failed, clock },
    bounds: () => BATCH,
    paceMs: () => PACE_MS,
    idle: { ms: IDLE_MS, isSent: false },
    pauses: backoff({ baseMs: 1_000, maxMs: 300_000 }),
  });
  return {
    wake: (fromMs) => {
      oldestMs ??= fromMs;
      sending.wake();
    },
    oldestMs: () => (spool.status().pending === 0 ? null : oldestMs),
    warning: () => warned,
    close: sending.close,
  };
}

function codeOf(thrown: unknown): string | null {
  return thrown instanceof EdgewardError ? thrown.code : null;
}

/** What the service asked for. */
function retryAfterMs(thrown: unknown): number {
  const cause = thrown instanceof EdgewardError ? thrown.cause : null;
  if (typeof cause !== 'object' || cause === null || !('retryAfterSeconds' in cause)) return 0;
  return typeof cause.retryAfterSeconds === 'number' ? cause.retryAfterSeconds * 1000 : 0;
}
