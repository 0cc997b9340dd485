/**
 * Follows the deny log of one point into the ledger. Whatever fails, the lines wait in the log: the tail is thrown away and
 * begun anew from the stored cursors.
 */
import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  createLogTail,
  type FileCursor,
  folderAwayError,
  type LogBatch,
  type LogTail,
  type LossCause,
  type ParsedLine,
  parseDenyLine,
  sampleOf,
  type UnparsedCause,
} from '@edgeward/deny-log';
import { type Backoff, backoff, type Logger, messageOf } from '@edgeward/runtime';
import type { ClaimedCounts } from './claimed-counts.ts';
import type { CollectorMetrics } from './collector-metrics.ts';
import { byCause, type LogStatus, lastEventOf, statusError } from './collector-status.ts';
import type { CounterSettling } from './counter-settling.ts';
import { denyEvent, type Labels } from './deny-event.ts';
import type { Ledger, StoredDenial } from './ledger/ledger.ts';
import type { LedgerSums } from './ledger/sums.ts';

export interface LogFollower {
  point: string;
  /** Until the signal that it was given. */
  run(): Promise<void>;
  lagBytes(): number;
  /** It can't be read now. */
  isUnreadable(): boolean;
  status(sums: LedgerSums): LogStatus;
}

export interface LogFollowerOptions {
  point: string;
  file: string;
  ledger: Pick<Ledger, 'store' | 'cursors'>;
  labels: Labels;
  claimed: ClaimedCounts;
  metrics: Pick<CollectorMetrics, 'stored' | 'unparsed' | 'lost'>;
  settling: Pick<CounterSettling, 'readUpTo'>;
  now: () => number;
  logger: Logger;
  /** Runs at most once in a while for each key. */
  seldom: (key: string, run: () => void) => void;
  onStored(stored: readonly StoredDenial[]): void;
  signal: AbortSignal;
  pollIntervalMs?: number | undefined;
  lingerMs?: number | undefined;
}

export function createLogFollower(options: LogFollowerOptions): LogFollower {
  const { point, ledger, labels, claimed, metrics, settling, now, logger, seldom, signal } = options;
  // Cursors are kept by path: one spelling, whatever folder the process was started in.
  const file = resolve(options.file);
  let tail: LogTail | null = null;
  let error: LogStatus['error'] = null;
  /** How far the newest file was read; null before anything was. */
  let cursor: FileCursor | null = null;

  async function run(): Promise<void> {
    const retry = backoff({ baseMs: 250, maxMs: 30_000 });
    while (!signal.aborted) {
      try {
        await drain(retry);
      } catch (thrown) {
        error = statusError(thrown);
        logger.error({ event: 'deny_log_failed', point, err: thrown }, messageOf(thrown));
      }
      await pause(retry.nextMs(), signal);
    }
  }

  async function drain(retry: Backoff): Promise<void> {
    const cursors = await ledger.cursors(point, file);
    cursor = cursors.find(({ state }) => state === 'reading') ?? null;
    const { pollIntervalMs, lingerMs } = options;
    const reading = createLogTail({ file, cursors, now, signal, pollIntervalMs, lingerMs });
    tail = reading;
    try {
      while (!signal.aborted) {
        const askedMs = now();
        const batch = await reading.next();
        if (batch !== null) await store(batch);
        // An end without its newline may be a line yet, and nobody knows what is in a folder that is away.
        else if (reading.lagBytes() === 0 && (await isReadable(dirname(file)))) await settling.readUpTo(point, askedMs);
        tellOfFolder(reading.isFolderAway());
        retry.reset();
        if (batch === null) await reading.changed();
      }
    } finally {
      await reading.close();
    }
  }

  function believed(line: Buffer): ParsedLine {
    const parsed = parseDenyLine(line);
    const count = parsed.records.reduce((sum, record) => sum + (record.count ?? 1), 0);
    if (claimed(point, count)) return parsed;
    return { records: [], unparsed: { cause: 'wrong-shape', sample: sampleOf(line.toString('utf8')) } };
  }

  function tellOfFolder(isAway: boolean): void {
    const away = isAway ? folderAwayError(file) : null;
    if (away !== null && error?.message !== away.message)
      logger.error({ event: 'deny_log_failed', point, err: away }, away.message);
    error = away === null ? null : statusError(away);
  }

  async function store(batch: LogBatch): Promise<void> {
    const parsed = batch.lines.map(believed);
    const events = parsed.flatMap(({ records }) => records.map((record) => denyEvent(record, point, labels)));
    const unparsed = parsed.flatMap((line) => (line.unparsed === null ? [] : [line.unparsed]));
    const { cursors, losses } = batch;
    const stored = await ledger.store({ point, log: file, storedMs: now(), events, unparsed, cursors, losses });
    for (const moved of cursors) if (moved.cursor.state === 'reading') cursor = moved.cursor;
    count({ stored, unparsed, losses });
    for (const loss of losses) logger.warn({ event: 'deny_log_loss', point, file, ...loss }, 'lines may be lost');
    if (unparsed.length > 0) {
      const { cause, sample } = unparsed[0] ?? {};
      seldom(`unparsed ${point}`, () =>
        logger.warn({ event: 'deny_line_unparsed', point, file, cause, sample }, 'kept'),
      );
    }
    options.onStored(stored);
  }

  function count(batch: {
    stored: StoredDenial[];
    unparsed: { cause: UnparsedCause }[];
    losses: readonly { cause: LossCause }[];
  }): void {
    metrics.stored(batch.stored, now());
    for (const { cause } of batch.unparsed) metrics.unparsed(point, cause);
    for (const { cause } of batch.losses) metrics.lost(point, cause);
  }

  const lagBytes = (): number => tail?.lagBytes() ?? 0;
  return {
    point,
    run,
    lagBytes,
    isUnreadable: () => error !== null,
    status({ totals, enforced, unparsed, losses }) {
      const own = totals.filter((total) => total.point === point);
      return {
        point,
        file,
        stored: own.reduce((sum, total) => sum + total.count, 0),
        enforced: enforced.reduce((sum, total) => sum + (total.point === point ? total.count : 0), 0),
        unparsed: byCause(unparsed, point),
        losses: byCause(losses, point),
        lagBytes: lagBytes(),
        cursor,
        lastEventAt: lastEventOf(own, point),
        error,
      };
    },
  };
}

const isReadable = (folder: string): Promise<boolean> =>
  access(folder, constants.R_OK).then(
    () => true,
    () => false,
  );

/** Settles early, and without an error, when aborted. */
async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await setTimeout(delayMs, null, { ref: false, signal }).catch(() => {});
}
