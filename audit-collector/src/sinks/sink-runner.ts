/**
 * Runs one sink: reads the ledger after the cursor, a page at a time, pushes, and moves the cursor when everything of the page
 * is accounted for. At most one page is in memory and one push on its way, so that a sink that is away, slow or half open
 * costs nothing but its lag. Nothing is given up: what fails is tried again with full jitter, for ever, and what retention
 * takes before is counted as lost. Killed between a push and its cursor, it sends the page once more.
 */
import {
  backoff,
  type Clock,
  type EdgewardError,
  type Logger,
  messageOf,
  type Pause,
  pauseFor,
  whilePausing,
} from '@edgeward/runtime';
import { type StatusError, statusError } from '../collector-status.ts';
import type { DenialQuery, StoredDenial } from '../ledger/ledger.ts';
import { eventName, type LedgerLife } from '../ledger/lives.ts';
import type { IdRange, Pushed, Sink, SinkPart } from './sink.ts';
import { retryAfterOf, retryOf } from './sink.ts';
import type { CursorFile, SinkCursor } from './sink-cursor.ts';
import type { SinkLag, SinkMetrics } from './sink-metrics.ts';

/** What a sink reads. */
export interface SinkSource {
  lives(): readonly LedgerLife[];
  denials(query: DenialQuery): Promise<StoredDenial[]>;
  /** Called after the commit, in order. The answer ends it. */
  onDenial(listener: (denial: StoredDenial) => void): () => void;
}

export interface SinkStatus {
  name: string;
  /** `failing`: `error` says why. `behind`: it lacks something for more than five minutes. */
  state: 'current' | 'behind' | 'failing';
  /** Events in the ledger that it has not, and since when it had not everything. */
  lagEvents: number;
  lagSeconds: number;
  /** In all its lives on this ledger. */
  sent: number;
  rejected: number;
  /** Gone from the ledger before it had them. */
  lost: number;
  /** ISO time of the last push that succeeded since this process began. */
  lastSuccessAt: string | null;
  /** Why nothing is pushed now. */
  error: StatusError | null;
}

export interface SinkRunner {
  status(): SinkStatus;
  lag(): SinkLag;
  /** Ends at once; what is on its way is cut off, and sent again by the next process. */
  close(): Promise<void>;
}

export interface SinkRunnerOptions {
  name: string;
  sink: Sink;
  source: SinkSource;
  file: CursorFile;
  /** How far back it begins on a ledger that it does not know. null: at the oldest. */
  backlogMs: number | null;
  clock: Clock;
  logger: Logger;
  metrics: SinkMetrics;
}

const PAGE = 2_000;
/** Many events of a moment make one push. */
const LINGER_MS = 250;
/** Nobody tells of what was stored before this process began. */
const IDLE_MS = 5_000;
/** Whoever has nothing to say says so. */
const BEAT_MS = 30_000;
const MOST_PAUSE_MS = 300_000;
/** Until then it is on its way. The alert EdgewardSinkBehind is by the same. */
const BEHIND_S = 300;

export function runSink(options: SinkRunnerOptions): SinkRunner {
  const { name, sink, source, file, clock, logger, metrics } = options;
  const ending = new AbortController();
  const retry = backoff({ baseMs: 500, maxMs: 30_000 });
  let lives = source.lives();
  let cursor: SinkCursor | null = null;
  let newestId = 0;
  let [hadAllMs, lastSuccessMs] = [clock.now(), 0];
  let error: StatusError | null = null;
  let idling: Pause | null = null;
  const stopListening = source.onDenial(({ id }) => {
    newestId = Math.max(newestId, id);
    idling?.end();
  });
  metrics.opened(name);
  const over = run();

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      if (epochOf(lives) !== epochOf(source.lives())) beginLife();
      cursor ??= await untilDone(begin);
      if (cursor === null) return;
      const page = await untilDone(() => nextPage(cursor?.afterId ?? 0));
      if (page === null) return;
      // Another server may have answered, which has other events under these ids.
      if (epochOf(lives) !== epochOf(source.lives())) continue;
      if (page.lastId === null) await idle();
      else await account(cursor, page);
    }
  }

  /** A standby took over, and may lack the last ids that were given: those are of other events then. */
  function beginLife(): void {
    [lives, cursor, newestId] = [source.lives(), null, 0];
    logger.warn({ event: 'sink_ledger_changed', sink: name, epoch: epochOf(lives) }, 'the ledger began another life');
  }

  async function begin(): Promise<SinkCursor> {
    const [newest] = await source.denials({ newest: true, limit: 1 });
    // A server that was away at the start is known by its first answer, and not before.
    if (epochOf(lives) !== epochOf(source.lives())) [lives, newestId] = [source.lives(), 0];
    newestId = Math.max(newestId, newest?.id ?? 0);
    const known = await file.read(lives, tellUnreadable);
    if (known !== null) return known;
    const afterId = await firstAfterId();
    const fresh = { epoch: epochOf(lives), beganAfter: afterId, afterId, sent: 0, rejected: 0, lost: 0 };
    await file.write(fresh);
    logger.info({ event: 'sink_begins', sink: name, afterId }, 'a sink begins on this ledger');
    return fresh;
  }

  async function firstAfterId(): Promise<number> {
    const { backlogMs } = options;
    if (backlogMs === null) return 0;
    const [first] = await source.denials({ sinceMs: clock.now() - backlogMs, limit: 1 });
    return first === undefined ? newestId : first.id - 1;
  }

  async function nextPage(afterId: number): Promise<Page> {
    // Before it is asked: what is told meanwhile may be stored after the answer.
    const known = newestId;
    const read = await source.denials({ afterId, limit: PAGE });
    const denials = read.map((denial) => ({ ...denial, name: eventName(lives, denial.id) }));
    const lastId = denials.at(-1)?.id ?? (known > afterId ? known : null);
    return { denials, lastId, holes: lastId === null ? [] : holesIn(denials, afterId, lastId) };
  }

  async function account(from: SinkCursor, page: Page): Promise<void> {
    const lost = page.holes.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    let [sent, rejected] = [from.sent, from.rejected];
    for (const part of sink.split(page)) {
      const waiting = Math.max(0, newestId - (part.denials.at(-1)?.id ?? newestId));
      const pushed = await untilDone(() => sink.push(part, ending.signal, waiting));
      if (pushed === null) return;
      tell(pushed);
      sent += pushed.sent;
      rejected += sumOf(pushed.rejected);
    }
    const next = { ...from, afterId: page.lastId ?? from.afterId, sent, rejected, lost: from.lost + lost };
    // Not further before it is kept: a page that was pushed twice is better than one that is pushed for ever.
    if ((await untilDone(() => file.write(next).then(() => next))) === null) return;
    if (lost > 0)
      logger.warn({ event: 'sink_lost', sink: name, lost }, 'events left the ledger before a sink had them');
    metrics.lost(name, lost);
    cursor = next;
    if (next.afterId >= newestId) hadAllMs = clock.now();
    if (page.denials.length < PAGE) await pauseOf(LINGER_MS);
  }

  function tell(pushed: Pushed): void {
    lastSuccessMs = clock.now();
    metrics.pushed(name, pushed);
    const rejected = sumOf(pushed.rejected);
    if (rejected > 0) logger.warn({ event: 'sink_rejected', sink: name, ...pushed.rejected }, 'events were refused');
  }

  /** Again and again until it is done; null when the end comes first. */
  async function untilDone<Result>(work: () => Promise<Result>): Promise<Result | null> {
    while (!ending.signal.aborted) {
      try {
        const result = await work();
        if (error !== null) logger.info({ event: 'sink_goes_on', sink: name }, 'a sink goes on');
        error = null;
        retry.reset();
        return result;
      } catch (thrown) {
        if (ending.signal.aborted) return null;
        await failed(thrown);
      }
    }
    return null;
  }

  async function failed(thrown: unknown): Promise<void> {
    const cause = retryOf(thrown);
    // Once for each kind of trouble: it may last for days.
    const isNew = error?.code !== statusError(thrown).code;
    error = statusError(thrown);
    metrics.retried(name, cause);
    if (isNew) logger.warn({ event: 'sink_waits', sink: name, cause, err: thrown }, messageOf(thrown));
    await pauseOf(Math.max(Math.min(retryAfterOf(thrown), MOST_PAUSE_MS), 100, retry.nextMs()));
  }

  function tellUnreadable(unreadable: EdgewardError): void {
    logger.error({ event: 'sink_cursor_unreadable', sink: name, err: unreadable }, unreadable.message);
  }

  async function idle(): Promise<void> {
    hadAllMs = clock.now();
    if (clock.now() - lastSuccessMs >= BEAT_MS && sink.beat !== undefined) await untilDone(beat);
    idling = pauseFor(clock, IDLE_MS);
    if (newestId > (cursor?.afterId ?? 0)) idling.end();
    await whilePausing(idling, ending.signal);
    idling = null;
  }

  async function beat(): Promise<void> {
    await sink.beat?.(ending.signal, epochOf(lives));
    lastSuccessMs = clock.now();
  }

  const pauseOf = (ms: number): Promise<void> => whilePausing(pauseFor(clock, ms), ending.signal);

  function lag(): SinkLag {
    const lagEvents = cursor === null ? newestId : Math.max(0, newestId - cursor.afterId);
    const lagSeconds = lagEvents === 0 ? 0 : Math.max(0, clock.now() - hadAllMs) / 1000;
    return { name, lagEvents, lagSeconds, lastSuccessMs };
  }

  return {
    lag,
    status() {
      const { lagEvents, lagSeconds } = lag();
      const { sent, rejected, lost } = cursor ?? { sent: 0, rejected: 0, lost: 0 };
      const lastSuccessAt = lastSuccessMs === 0 ? null : new Date(lastSuccessMs).toISOString();
      const state = error !== null ? 'failing' : lagSeconds > BEHIND_S ? 'behind' : 'current';
      return { name, state, lagEvents, lagSeconds, sent, rejected, lost, lastSuccessAt, error };
    },
    async close() {
      stopListening();
      ending.abort();
      await over;
      sink.close();
    },
  };
}

interface Page extends SinkPart {
  /** Up to which everything is accounted for by it; null: there is nothing new. */
  lastId: number | null;
}

const epochOf = (lives: readonly LedgerLife[]): string => lives.at(-1)?.epoch ?? '';

function holesIn(denials: readonly StoredDenial[], afterId: number, lastId: number): IdRange[] {
  const holes: IdRange[] = [];
  let expected = afterId + 1;
  for (const { id } of denials) {
    if (id > expected) holes.push({ first: expected, last: id - 1 });
    expected = id + 1;
  }
  if (lastId >= expected) holes.push({ first: expected, last: lastId });
  return holes;
}

const sumOf = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
