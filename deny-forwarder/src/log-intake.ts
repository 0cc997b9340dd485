/**
 * From the log into the spool: each line once, with how far the log was read in the same write. Without room it waits, and the
 * lines wait in the log; past a bound it reads on and counts what it can't keep. Whatever fails, it begins anew from what the
 * spool says. It never writes to the log and never holds NGINX up.
 */
import {
  createLogTail,
  type DenyRecord,
  denialText,
  type FileCursor,
  folderAwayError,
  type LogBatch,
  type LogTail,
  type Loss,
  lossText,
  parseDenyLine,
  type Unparsed,
  unparsedText,
} from '@edgeward/deny-log';
import type { DenySpool, Entry } from '@edgeward/deny-spool';
import {
  backoff,
  type Clock,
  type EdgewardError,
  type Logger,
  messageOf,
  pauseFor,
  whilePausing,
} from '@edgeward/runtime';
import { folded } from './equal-denials.ts';
import type { ForwarderCounts } from './forwarder-metrics.ts';
import { cursorsIn, MOST_FILES, moved, noteOf } from './log-note.ts';
import type { Room } from './spool-room.ts';

export interface LogIntake {
  /** Bytes of the log that were not read by the last look; at least one while it can't be read. */
  unreadBytes(): number;
  /** Lines are left in the log, because there is no room for them. */
  isHolding(): boolean;
  /** Why the log is not read; null: it is. */
  error(): unknown;
  /** After what is under way. */
  close(): Promise<void>;
}

export interface LogIntakeOptions {
  denyLog: string;
  spool: DenySpool;
  room: () => Promise<Room>;
  /** Of the log: so much may wait in it while there is no room. */
  maxUnreadBytes: number;
  /** Something new is in the spool, the oldest of it of that time. */
  onKept: (fromMs: number) => void;
  counts: ForwarderCounts;
  clock: Clock;
  logger: Logger;
  pollIntervalMs?: number | undefined;
  lingerMs?: number | undefined;
}

const ROOM_MS = 500;

export function followLog(options: LogIntakeOptions): LogIntake {
  const { denyLog, spool, room, counts, clock, logger, pollIntervalMs, lingerMs } = options;
  const ending = new AbortController();
  const { signal } = ending;
  let cursors: FileCursor[] = cursorsIn(spool.note());
  let [holding, unread] = [false, 0];
  let error: unknown = null;
  /** Said by the tail, and shed with what came with it: said again with the next. */
  let untold: Loss[] = [];
  const over = follow();

  async function follow(): Promise<void> {
    const retry = backoff({ baseMs: 250, maxMs: 30_000 });
    while (!signal.aborted) {
      await drain(retry.reset).catch(tellOfError);
      await whilePausing(pauseFor(clock, retry.nextMs()), signal);
    }
  }

  /** Once for each message, until it is over. */
  function tellOfError(thrown: unknown): void {
    if (messageOf(thrown) !== messageOf(error)) {
      const { code } = thrown as Partial<EdgewardError>;
      logger.error({ event: 'deny_log_failed', denyLog, code, err: thrown }, messageOf(thrown));
    }
    error = thrown;
  }

  async function drain(goesOn: () => void): Promise<void> {
    const now = clock.now;
    const followed = { file: denyLog, cursors, mostFiles: MOST_FILES };
    const tail = createLogTail({ ...followed, now, signal, pollIntervalMs, lingerMs });
    try {
      while (!signal.aborted) {
        const found = await roomFor(tail);
        if (signal.aborted) return;
        const batch = await tail.next();
        unread = tail.lagBytes();
        if (tail.isFolderAway()) tellOfError(folderAwayError(denyLog));
        else error = null;
        goesOn();
        if (batch === null) await tail.changed();
        else await keep(batch, found);
      }
    } finally {
      await tail.close();
    }
  }

  /** Until there is some, or too much waits in the log. */
  async function roomFor(tail: LogTail): Promise<Room> {
    for (;;) {
      const found = await room();
      unread = found === 'full' ? await tail.look() : unread;
      const waits = found === 'full' && unread <= options.maxUnreadBytes;
      tellOfRoom(waits);
      if (!waits || signal.aborted) return found;
      await whilePausing(pauseFor(clock, ROOM_MS), signal);
    }
  }

  function tellOfRoom(waits: boolean): void {
    if (waits === holding) return;
    holding = waits;
    const fields = { event: waits ? 'spool_full' : 'spool_has_room', unreadBytes: unread };
    if (waits) logger.warn(fields, 'there is no room for denials: they wait in the log');
    else logger.info(fields, 'the log is read on');
  }

  async function keep(batch: LogBatch, found: Room): Promise<void> {
    const parsed = batch.lines.map(parseDenyLine);
    const denials = parsed.flatMap(({ records }) => records);
    const unparsed = parsed.flatMap((line) => line.unparsed ?? []);
    const losses = [...untold, ...batch.losses];
    const reached = moved(cursors, batch.cursors);
    const records = textsOf(found === 'roomy' ? denials : folded(denials), unparsed, losses);
    const entry = entryOf(records, denials, unparsed.length, clock.now());
    const { state } = await spool.append({ ...entry, note: noteOf(reached) });
    // Not before: where the spool refuses it is read again.
    cursors = reached;
    untold = state === 'shed' ? losses : [];
    counts.read({ lines: batch.lines.length, unparsed, losses: batch.losses });
    if (state === 'shed') counts.shed(entry.count);
    else counts.spooled(records.length);
    tellOf(batch, unparsed, state === 'shed' ? entry.count : 0);
    options.onKept(entry.fromMs);
  }

  function tellOf({ losses }: LogBatch, [first]: readonly Unparsed[], shed: number): void {
    for (const loss of losses) logger.warn({ event: 'deny_log_loss', denyLog, ...loss }, 'lines may be lost');
    if (first !== undefined) logger.warn({ event: 'deny_line_unparsed', denyLog, ...first }, 'sent as it is');
    if (shed > 0) logger.warn({ event: 'denials_shed', count: shed }, 'denials are counted and not kept');
  }

  return {
    unreadBytes: () => Math.max(unread, error === null ? 0 : 1),
    isHolding: () => holding,
    error: () => error,
    close: async () => {
      ending.abort();
      await over;
    },
  };
}

function textsOf(denials: readonly DenyRecord[], unparsed: readonly Unparsed[], losses: readonly Loss[]): string[] {
  return [...denials.map(denialText), ...unparsed.map(unparsedText), ...losses.map(lossText)];
}

/** A line that can't be read was a denial too. */
function entryOf(records: string[], denials: readonly DenyRecord[], unparsed: number, nowMs: number): Entry {
  const times = denials.flatMap(({ t, firstMs = t }) => [firstMs, t]);
  const [fromMs, toMs] = times.length === 0 ? [nowMs, nowMs] : [least(times), most(times)];
  const count = denials.reduce((sum, denial) => sum + (denial.count ?? 1), unparsed);
  return { records, count, fromMs, toMs };
}

const least = (numbers: readonly number[]): number => numbers.reduce((a, b) => Math.min(a, b));
const most = (numbers: readonly number[]): number => numbers.reduce((a, b) => Math.max(a, b));
