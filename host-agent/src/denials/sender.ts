/**
 * Sends what the spool holds: one batch at a time, from the first record that the service has not acknowledged, again and again
 * until it has. The service stores a record once however often it comes. Nothing is given up: what can't be sent stays.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { DenySpool } from '@edgeward/deny-spool';
import { backoff, type Clock, EdgewardError, type Logger, messageOf, type Pause, pauseFor } from '@edgeward/runtime';
import { formatDenialBatch } from '../../protocol/index.ts';
import type { SendDenials } from '../parts.ts';
import { numbered } from './denial-record.ts';

export interface Sender {
  /** There may be something new. */
  wake(): void;
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
  const pauses = backoff({ baseMs: 1_000, maxMs: 300_000 });
  let [closed, warned, woken] = [false, null as string | null, false];
  let idling: Pause | null = null;
  let pausing: Pause | null = null;
  const over = run();

  async function run(): Promise<void> {
    while (!closed) {
      woken = false;
      const waitMs = await sendOne().catch((thrown: unknown) => failed(thrown));
      // What came while it was busy needs no second call; a service that asked for a pause gets it.
      if (closed || (waitMs === IDLE_MS && woken)) continue;
      pausing = pauseFor(clock, waitMs);
      idling = waitMs === IDLE_MS ? pausing : null;
      await pausing.over;
      idling = null;
    }
  }

  /** How long to wait before the next one. */
  async function sendOne(): Promise<number> {
    const found = await spool.read(BATCH);
    const last = found.at(-1);
    if (last === undefined) return IDLE_MS;
    const records = found.map(({ seq, record }) => numbered(seq, record));
    const answer = await send(await compress(formatDenialBatch({ epoch: spool.epoch, records })));
    if (answer.epoch !== spool.epoch) throw new Error('the service answers for another spool');
    if (answer.acknowledged < (found[0]?.seq ?? 0)) throw new Error('the service has stored none of them');
    await spool.acknowledge(Math.min(answer.acknowledged, last.seq));
    if (warned !== null) logger.info({ event: 'denials_sent_again' }, 'denials reach the service again');
    warned = null;
    pauses.reset();
    return PACE_MS;
  }

  function failed(thrown: unknown): number {
    // Not now is no trouble.
    if (codeOf(thrown) === 'EDW_ERR_SERVICE_BUSY') return Math.max(1_000, retryAfterMs(thrown));
    const why = `sending denials: ${messageOf(thrown)}`;
    if (warned === null) logger.warn({ event: 'denials_not_sent', code: codeOf(thrown) }, why);
    warned = why;
    return Math.max(100, pauses.nextMs());
  }

  return {
    wake: () => {
      woken = true;
      // A service that is away or busy is not asked more often because more is denied.
      idling?.end();
    },
    warning: () => warned,
    close: async () => {
      closed = true;
      pausing?.end();
      await over;
    },
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
