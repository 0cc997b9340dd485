/**
 * The audit collector: follows the deny log of every point, or listens for its denials, and brings each into the ledger
 * once. It never holds traffic up, and everything that it could not read or may have missed has a counter. Composition only.
 */
import { type EdgewardError, type Logger, messageOf, type Registry } from '@edgeward/runtime';
import { accountMetrics } from './account-metrics.ts';
import { claimedCounts } from './claimed-counts.ts';
import { collectorMetrics } from './collector-metrics.ts';
import type { ListenerStatus, LogStatus, SpoolStatus, StatusError } from './collector-status.ts';
import { settleCounters } from './counter-settling.ts';
import { type DenialAccount, denialAccounts, type PointTold } from './denial-accounts.ts';
import type { Labels } from './deny-event.ts';
import { createDenyListener } from './deny-listener.ts';
import { guardedLabels } from './guarded-labels.ts';
import type { HostRecord } from './host-record.ts';
import type { DenialQuery, EnforcedCount, Ledger, StoredDenial, Uncovered, UncoveredQuery } from './ledger/ledger.ts';
import type { LedgerLife } from './ledger/lives.ts';
import { type LedgerPlace, openLedgerAt } from './ledger/open-ledger.ts';
import type { DenialPage, DenialSearch } from './ledger/search.ts';
import type { EnforcedTotal } from './ledger/sums.ts';
import { lookAtLedger, observedLedger } from './ledger-health.ts';
import { createLogFollower } from './log-follower.ts';
import { metricNames } from './metric-names.ts';
import { type NewEdges, newEdges } from './new-edges.ts';
import { numberMetrics } from './number-metrics.ts';
import { createRecordIntake, type RecordIntake } from './record-intake.ts';
import { keepRetention } from './retention.ts';
import { syslogMetrics } from './syslog-metrics.ts';
import { checkListeners, type SyslogListener } from './syslog-options.ts';

export interface CollectorOptions {
  ledger: LedgerPlace;
  logs: readonly { point: string; file: string }[];
  /** One for each point that sends its denials instead of writing them. */
  listeners?: readonly SyslogListener[] | undefined;
  labels: Labels;
  /** Objects that one sender may name and the policy does not have: 32. */
  mostUnknownObjects?: number | undefined;
  logger: Logger;
  registry: Registry;
  /** What points say of themselves, asked when it is scraped; without it they are known by what they send. */
  told?: (() => readonly PointTold[]) | undefined;
  /** Milliseconds since the epoch. */
  now?: (() => number) | undefined;
  /** Days that an event is kept, counted from its storing; 30 unless told. */
  retainDays?: number | undefined;
  /** Days that counts by minute and hour are kept, and edges after their last denial; 400 unless told. */
  retainRollupDays?: number | undefined;
  /** Of SQLite. */
  synchronous?: 'FULL' | 'NORMAL' | undefined;
  /** A SQLite ledger has threads of its own unless told; without them everybody waits for it. */
  ledgerThreads?: boolean | undefined;
  pollIntervalMs?: number | undefined;
  lingerMs?: number | undefined;
  /** How often the ledger is looked at where nothing is asked of it: 10 s. */
  ledgerLookMs?: number | undefined;
}

export interface Collector {
  /** The life of the ledger: with it, the id of an event names it for ever. It changes where a standby server takes over. */
  readonly epoch: string;
  /** All of them, oldest first. */
  lives(): readonly LedgerLife[];
  /** Listening when it resolves; where that failed, `listeners` says why, and it is tried again. */
  start(): Promise<void>;
  /** Ends after the batch in hand; what is not read yet waits in the log, or is missing by its number. */
  close(): Promise<void>;
  denials(query: DenialQuery): Promise<StoredDenial[]>;
  /** A page, by what operators ask for. Rejects with EDW_ERR_QUERY. */
  search(search: DenialSearch): Promise<DenialPage>;
  byRef(ref: string): Promise<StoredDenial | null>;
  byId(id: number): Promise<StoredDenial | null>;
  /** Denials that points counted and have no record of. */
  uncovered(query: UncoveredQuery): Promise<Uncovered[]>;
  /** Rollups, oldest first. */
  minutes: Ledger['minutes'];
  hours: Ledger['hours'];
  edges: Ledger['edges'];
  /** Called after the commit, in order. The answer ends it. */
  onDenial(listener: (denial: StoredDenial) => void): () => void;
  /** These ask nobody: of what this object stored, and what was there when it was made. */
  status(): LogStatus[];
  listeners(): ListenerStatus[];
  /** Of every point that ever sent from a spool. */
  spools(): SpoolStatus[];
  /** Of every point: what it observed, and what became of it. */
  accounts(): DenialAccount[];
  /** Why the ledger does not do what is asked of it, or null. */
  ledgerError(): StatusError | null;
  /**
   * Stores what is new of a batch, all of it or nothing; acknowledged are all up to that number. `point` is who was let in,
   * whatever the records say. Rejects with EDW_ERR_LEDGER_…: the sender keeps them.
   */
  takeHostRecords(point: string, epoch: string, records: readonly HostRecord[]): Promise<{ acknowledged: number }>;
  /** The same for a batch, as `openBatchListener` reads one. */
  takeBatch: RecordIntake['takeBatch'];
  /**
   * The point's own counters as read now, objects as the point calls them. `epoch` names the point's life (of
   * NGINX, the start of its master): with it, a restart is never mistaken. What they say beyond what is stored becomes a gap
   * once nothing of it can come: the more often they are brought, the sooner. `waiting` of them are folded there, and come later.
   */
  setEnforcedCounts(
    point: string,
    counts: readonly EnforcedCount[],
    epoch?: string | null,
    waiting?: number,
  ): Promise<void>;
}

const quietMs = 10_000;

/** Opens the ledger: rejects with EDW_ERR_LEDGER_…, and EDW_ERR_SYSLOG_LISTENER, EDW_ERR_SYSLOG_CLEAR_TEXT. */
export async function createCollector(options: CollectorOptions): Promise<Collector> {
  checkListeners(options.listeners ?? []);
  const { logger } = options;
  const now = options.now ?? Date.now;
  const { synchronous, ledgerThreads: threads, mostUnknownObjects } = options;
  const onDayLost = (lost: EdgewardError): void =>
    logger.error({ event: 'ledger_day_lost', err: lost }, `${lost.message}. ${lost.mend}`);
  const { ledger, error: ledgerError } = observedLedger(
    await openLedgerAt(options.ledger, { synchronous, threads, onDayLost }),
  );
  const viewers = new Set<(denial: StoredDenial) => void>();
  const ending = new AbortController();
  const seldom = oncePerWhile(now);
  const labels = guardedLabels(options.labels, (thrown) =>
    seldom('labels', () => logger.error({ event: 'labels_failed', err: thrown }, messageOf(thrown))),
  );
  /** With the names that the events of now have, so that both can be compared by object too. */
  const enforced = (): EnforcedTotal[] =>
    ledger.sums().enforced.map((total) => ({
      ...total,
      object: labels.object(total.point, total.object, Number.MAX_SAFE_INTEGER)?.name ?? total.object,
    }));
  const edges = await edgesOf(ledger).catch(async (thrown: unknown) => {
    await ledger.close();
    throw thrown;
  });
  const names = metricNames(options.registry);
  const metrics = collectorMetrics(options.registry, {
    names,
    sums: () => ledger.sums(),
    enforced,
    logs: () =>
      followers.map(({ point, lagBytes, isUnreadable }) => {
        return { point, lagBytes: lagBytes(), isUnreadable: isUnreadable() };
      }),
    isLedgerFailing: () => ledgerError() !== null,
    edges,
  });
  const numbers = numberMetrics(options.registry);
  const syslog = syslogMetrics(options.registry, numbers, () => listeners.map((listener) => listener.load()));
  const accounts = (): DenialAccount[] =>
    denialAccounts(ledger.sums(), [
      ...followers.map((it) => ({ point: it.point, isWaiting: it.isUnreadable() || it.lagBytes() > 0 })),
      ...(options.listeners ?? []).map(({ point }) => ({ point })),
      ...settling.waiting(),
      ...told(),
    ]);
  const told = (): readonly PointTold[] => options.told?.() ?? [];
  const settling = settleCounters({ ledger, told, now, logger });
  const closeAccounts = accountMetrics(options.registry, names, accounts);
  const shared = { ledger, labels, claimed: claimedCounts(now), now, logger, seldom, metrics, onStored: tellAll };
  const { pollIntervalMs, lingerMs } = options;
  const following = { ...shared, settling, signal: ending.signal, pollIntervalMs, lingerMs };
  const followers = options.logs.map(({ point, file }) => createLogFollower({ point, file, ...following }));
  const listeners = (options.listeners ?? []).map((listener) =>
    createDenyListener({ listener, ...shared, syslogMetrics: syslog }),
  );
  const records = createRecordIntake({ ...shared, numberMetrics: numbers, mostUnknownObjects });
  const { retainDays = 30, retainRollupDays = 400 } = options;
  const retention = { ledger, retainDays, retainRollupDays, now, logger, signal: ending.signal };
  let running: Promise<unknown> | null = null;

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

  return {
    get epoch() {
      return ledger.epoch;
    },
    lives: () => ledger.lives(),
    async start() {
      if (running !== null || ending.signal.aborted) return;
      running = Promise.all([
        ...followers.map((it) => it.run()),
        keepRetention(retention),
        lookAtLedger(ledger, ending.signal, options.ledgerLookMs),
      ]);
      await Promise.all(listeners.map((listener) => listener.start()));
    },
    async close() {
      if (ending.signal.aborted) return;
      ending.abort();
      await Promise.all([running, ...listeners.map((listener) => listener.close())]);
      for (const it of [names, metrics, numbers, syslog, { close: closeAccounts }]) it.close();
      await ledger.close();
    },
    denials: (query) => ledger.denials(query),
    search: (search) => ledger.search(search),
    byRef: (ref) => ledger.byRef(ref),
    byId: (id) => ledger.byId(id),
    uncovered: (query) => ledger.uncovered(query),
    minutes: (query) => ledger.minutes(query),
    hours: (query) => ledger.hours(query),
    edges: (query) => ledger.edges(query),
    onDenial(listener) {
      viewers.add(listener);
      return () => viewers.delete(listener);
    },
    status() {
      const sums = ledger.sums();
      return followers.map((it) => it.status(sums));
    },
    listeners() {
      const sums = ledger.sums();
      return listeners.map((listener) => listener.status(sums));
    },
    spools: records.status,
    accounts,
    ledgerError,
    takeHostRecords: records.take,
    takeBatch: records.takeBatch,
    async setEnforcedCounts(point, counts, epoch = null, waiting = 0) {
      await settling.read(point, counts, epoch, waiting);
      const readUpToMs = told().find((it) => it.point === point)?.readUpToMs ?? null;
      if (readUpToMs !== null) await settling.readUpTo(point, readUpToMs);
    },
  };
}

/** While nobody knows what the ledger has, nothing is new. */
async function edgesOf(ledger: Ledger): Promise<NewEdges> {
  let known: NewEdges = { isNew: () => false };
  const found = ledger.opened().then(async () => {
    known = await newEdges(ledger);
  });
  if (ledger.epoch === '') found.catch(() => {});
  else await found;
  return { isNew: (event) => known.isNew(event) };
}

function oncePerWhile(now: () => number): (key: string, run: () => void) => void {
  const lastMs = new Map<string, number>();
  return (key, run) => {
    if (now() - (lastMs.get(key) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    lastMs.set(key, now());
    run();
  };
}
