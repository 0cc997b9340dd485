/**
 * The audit collector: follows the deny log of every point, or listens for its denials, and brings each into the ledger
 * once. Whatever fails, the lines wait in the log: the tail is thrown away and begun anew from the stored cursors. It never
 * holds traffic up, and everything that it could not read or may have missed has a counter.
 */
import { resolve } from 'node:path';
import { setImmediate, setInterval, setTimeout } from 'node:timers/promises';
import { type Backoff, backoff, type Logger, messageOf, type Registry } from '@edgeward/runtime';
import { type CollectorMetrics, collectorMetrics } from './collector-metrics.ts';
import {
  byCause,
  type ListenerStatus,
  type LogStatus,
  lastEventOf,
  type SpoolStatus,
  statusError,
} from './collector-status.ts';
import { denyEvent, type Labels } from './deny-event.ts';
import { createDenyListener } from './deny-listener.ts';
import { parseDenyLine, type UnparsedCause } from './deny-log.ts';
import { guardedLabels } from './guarded-labels.ts';
import type { HostRecord } from './host-record.ts';
import { openLedger } from './ledger.ts';
import type { EnforcedCount, EnforcedTotal } from './ledger-counters.ts';
import type { DenialQuery, StoredDenial } from './ledger-rows.ts';
import type { Uncovered, UncoveredQuery } from './ledger-uncovered.ts';
import type { LossCause } from './log-cursor.ts';
import { createLogTail, type LogBatch, type LogTail } from './log-tail.ts';
import { createRecordIntake } from './record-intake.ts';
import { spoolMetrics } from './spool-metrics.ts';
import { syslogMetrics } from './syslog-metrics.ts';
import { checkListeners, type SyslogListener } from './syslog-options.ts';

export interface CollectorOptions {
  ledgerFile: string;
  logs: readonly { point: string; file: string }[];
  /** One for each point that sends its denials instead of writing them. */
  listeners?: readonly SyslogListener[] | undefined;
  labels: Labels;
  logger: Logger;
  registry: Registry;
  /** Milliseconds since the epoch. */
  now?: (() => number) | undefined;
  /** Days that an event is kept, counted from its storing; 30 unless told. */
  retainDays?: number | undefined;
  synchronous?: 'FULL' | 'NORMAL' | undefined;
  pollIntervalMs?: number | undefined;
  lingerMs?: number | undefined;
}

export interface Collector {
  /** Listening when it resolves; where that failed, `listeners` says why, and it is tried again. */
  start(): Promise<void>;
  /** Ends after the batch in hand; what is not read yet waits in the log, or is missing by its number. */
  close(): Promise<void>;
  denials(query: DenialQuery): StoredDenial[];
  byRef(ref: string): StoredDenial | null;
  byId(id: number): StoredDenial | null;
  /** Denials that points counted and have no record of. */
  uncovered(query: UncoveredQuery): Uncovered[];
  /** Called after the commit, in order. The answer ends it. */
  onDenial(listener: (denial: StoredDenial) => void): () => void;
  status(): LogStatus[];
  listeners(): ListenerStatus[];
  /** Of every point that ever sent from a spool. */
  spools(): SpoolStatus[];
  /**
   * Stores what is new of a batch, all of it or nothing; acknowledged are all up to that number. `point` is who was let in,
   * whatever the records say. Throws EDW_ERR_LEDGER_…: the sender keeps them.
   */
  takeHostRecords(point: string, epoch: string, records: readonly HostRecord[]): { acknowledged: number };
  /**
   * The point's own counters as read now, objects as the point calls them. `epoch` names the point's life (of
   * NGINX, the start of its master): with it, a restart is never mistaken.
   */
  setEnforcedCounts(point: string, counts: readonly EnforcedCount[], epoch?: string | null): void;
}

const dayMs = 86_400_000;
const pruneIntervalMs = 3_600_000;
const pruneRows = 2_000;
const quietMs = 10_000;

interface Follower {
  point: string;
  file: string;
  tail: LogTail | null;
  error: LogStatus['error'];
}

/** Opens the ledger: throws EDW_ERR_LEDGER_…, and EDW_ERR_SYSLOG_LISTENER, EDW_ERR_SYSLOG_CLEAR_TEXT. */
export function createCollector(options: CollectorOptions): Collector {
  checkListeners(options.listeners ?? []);
  const { logger } = options;
  const now = options.now ?? Date.now;
  const ledger = openLedger({ file: options.ledgerFile, synchronous: options.synchronous });
  const followers: Follower[] = options.logs.map(({ point, file }) => {
    // Cursors are kept by path: one spelling, whatever folder the process was started in.
    return { point, file: resolve(file), tail: null, error: null };
  });
  const viewers = new Set<(denial: StoredDenial) => void>();
  const ending = new AbortController();
  const seldom = oncePerWhile(now);
  const labels = guardedLabels(options.labels, (thrown) =>
    seldom('labels', () => logger.error({ event: 'labels_failed', err: thrown }, messageOf(thrown))),
  );
  /** With the names that the events of now have, so that both can be compared by object too. */
  const enforced = (): EnforcedTotal[] =>
    ledger.enforced().map((total) => ({
      ...total,
      object: labels.object(total.point, total.object, Number.MAX_SAFE_INTEGER)?.name ?? total.object,
    }));
  const metrics = collectorMetrics(options.registry, { totals: ledger.totals, enforced }, () =>
    followers.map(({ point, tail }) => ({ point, lagBytes: tail?.lagBytes() ?? 0 })),
  );
  const numbered = syslogMetrics(options.registry, {
    sequences: ledger.sequences,
    listeners: () => listeners.map((listener) => listener.load()),
  });
  const spooled = spoolMetrics(options.registry, ledger.uncoveredTotals);
  const shared = { ledger, labels, now, logger, seldom, metrics, onStored: tellAll };
  const listeners = (options.listeners ?? []).map((listener) =>
    createDenyListener({ listener, ...shared, syslogMetrics: numbered }),
  );
  const records = createRecordIntake({ ...shared, spoolMetrics: spooled });
  let running: Promise<unknown> | null = null;

  function store({ point, file }: Follower, batch: LogBatch): void {
    const parsed = batch.lines.map(parseDenyLine);
    const events = parsed.flatMap(({ records }) => records.map((record) => denyEvent(record, point, labels)));
    const unparsed = parsed.flatMap((line) => (line.unparsed === null ? [] : [line.unparsed]));
    const { cursors, losses } = batch;
    const stored = ledger.store({ point, log: file, storedMs: now(), events, unparsed, cursors, losses });
    count(metrics, point, { stored, unparsed, losses }, now());
    for (const loss of losses) logger.warn({ event: 'deny_log_loss', point, file, ...loss }, 'lines may be lost');
    if (unparsed.length > 0) {
      const { cause, sample } = unparsed[0] ?? {};
      seldom(`unparsed ${point}`, () =>
        logger.warn({ event: 'deny_line_unparsed', point, file, cause, sample }, 'kept'),
      );
    }
    tellAll(stored);
  }

  function tellAll(stored: readonly StoredDenial[]): void {
    for (const denial of stored) for (const viewer of viewers) tell(viewer, denial);
  }

  function tell(viewer: (denial: StoredDenial) => void, denial: StoredDenial): void {
    try {
      viewer(denial);
    } catch (thrown) {
      // It is stored: what a view does with it must not stop the next one.
      seldom('listener', () => logger.error({ event: 'denial_listener_failed', err: thrown }, messageOf(thrown)));
    }
  }

  async function follow(follower: Follower): Promise<void> {
    const retry = backoff({ baseMs: 250, maxMs: 30_000 });
    while (!ending.signal.aborted) {
      try {
        await drain(follower, retry);
      } catch (thrown) {
        follower.error = statusError(thrown);
        logger.error({ event: 'deny_log_failed', point: follower.point, err: thrown }, messageOf(thrown));
      }
      await pause(retry.nextMs(), ending.signal);
    }
  }

  async function drain(follower: Follower, retry: Backoff): Promise<void> {
    const { point, file } = follower;
    const cursors = ledger.cursors(point, file);
    const { pollIntervalMs, lingerMs } = options;
    const tail = createLogTail({ file, cursors, now, signal: ending.signal, pollIntervalMs, lingerMs });
    follower.tail = tail;
    try {
      while (!ending.signal.aborted) {
        const batch = await tail.next();
        if (batch !== null) store(follower, batch);
        follower.error = null;
        retry.reset();
        if (batch === null) await tail.changed();
      }
    } finally {
      await tail.close();
    }
  }

  async function prune(): Promise<void> {
    const beforeMs = now() - (options.retainDays ?? 30) * dayMs;
    // In steps, so that no reader of the log and no scrape waits for a long deletion.
    while (!ending.signal.aborted && ledger.prune(beforeMs, pruneRows) === pruneRows) await setImmediate();
  }

  async function pruneForEver(): Promise<void> {
    const report = (thrown: unknown): void =>
      logger.error({ event: 'retention_failed', err: thrown }, messageOf(thrown));
    await prune().catch(report);
    const hours = setInterval(pruneIntervalMs, null, { ref: false, signal: ending.signal });
    try {
      for await (const _ of hours) await prune().catch(report);
    } catch (thrown) {
      if (!ending.signal.aborted) throw thrown;
    }
  }

  return {
    async start() {
      if (running !== null || ending.signal.aborted) return;
      running = Promise.all([...followers.map(follow), pruneForEver()]);
      await Promise.all(listeners.map((listener) => listener.start()));
    },
    async close() {
      if (ending.signal.aborted) return;
      ending.abort();
      await Promise.all([running, ...listeners.map((listener) => listener.close())]);
      metrics.close();
      numbered.close();
      spooled.close();
      ledger.close();
    },
    denials: (query) => ledger.denials(query),
    byRef: (ref) => ledger.byRef(ref),
    byId: (id) => ledger.byId(id),
    uncovered: (query) => ledger.uncovered(query),
    onDenial(listener) {
      viewers.add(listener);
      return () => viewers.delete(listener);
    },
    status() {
      const counts = { totals: ledger.totals(), unparsed: ledger.unparsed(), losses: ledger.losses() };
      const enforced = ledger.enforced();
      return followers.map((follower) => {
        const { point, file, tail, error } = follower;
        const totals = counts.totals.filter((total) => total.point === point);
        return {
          point,
          file,
          stored: totals.reduce((sum, total) => sum + total.count, 0),
          enforced: enforced.reduce((sum, total) => sum + (total.point === point ? total.count : 0), 0),
          unparsed: byCause(counts.unparsed, point),
          losses: byCause(counts.losses, point),
          lagBytes: tail?.lagBytes() ?? 0,
          cursor: ledger.cursors(point, file).find((cursor) => cursor.state === 'reading') ?? null,
          lastEventAt: lastEventOf(totals, point),
          error,
        };
      });
    },
    listeners() {
      const counts = { totals: ledger.totals(), unparsed: ledger.unparsed(), sequences: ledger.sequences() };
      return listeners.map((listener) => listener.status(counts));
    },
    spools: records.status,
    takeHostRecords: records.take,
    setEnforcedCounts: (point, counts, epoch = null) => ledger.observeEnforced(point, counts, epoch),
  };
}

function count(
  metrics: CollectorMetrics,
  point: string,
  batch: { stored: StoredDenial[]; unparsed: { cause: UnparsedCause }[]; losses: { cause: LossCause }[] },
  nowMs: number,
): void {
  for (const { event } of batch.stored) metrics.stored(event, nowMs);
  for (const { cause } of batch.unparsed) metrics.unparsed(point, cause);
  for (const { cause } of batch.losses) metrics.lost(point, cause);
}

function oncePerWhile(now: () => number): (key: string, run: () => void) => void {
  const lastMs = new Map<string, number>();
  return (key, run) => {
    if (now() - (lastMs.get(key) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    lastMs.set(key, now());
    run();
  };
}

/** Settles early, and without an error, when aborted. */
async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await setTimeout(delayMs, null, { ref: false, signal }).catch(() => {});
}
