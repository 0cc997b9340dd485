/**
 * The ledger in SQLite files that `sqlite3` opens too: one of sums and cursors, and one of events for each day. Everything here is done when it returns, and whoever calls waits:
 * `sqlite-ledger` is what others use. A damaged or read-only file is an error with a code; nothing here repairs one.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { EdgewardError } from '@edgeward/runtime';
import type {
  EnforcedCount,
  Ledger,
  LogBatchToStore,
  NumberedBatch,
  NumberedResult,
  QuarantinedLine,
  SpoolBatch,
  SpoolResult,
  StoredDenial,
} from '../ledger.ts';
import type { LedgerLife } from '../lives.ts';
import { checkSearch } from '../search.ts';
import type { Settled, Settling } from '../settlements.ts';
import { byKind } from '../spool-records.ts';
import type { LedgerSums } from '../sums.ts';
import { type DatabaseOptions, guarded, openDatabase } from './database.ts';
import { type DayFiles, type DayFilesOptions, dayFiles } from './day-files.ts';
import { enforcedCounters } from './enforced-counters.ts';
import { eventWriter } from './event-writer.ts';
import { logCursors } from './log-cursors.ts';
import { numberSequences, ofSpools } from './number-sequences.ts';
import { type RollupTables, rollupTables } from './rollup-tables.ts';
import { type SettlementRows, settlementRows } from './settlement-rows.ts';
import { inTransaction } from './transaction.ts';
import { uncoveredDenials } from './uncovered-denials.ts';

type Asked = Exclude<keyof Ledger, 'epoch' | 'lives' | 'opened'>;
type Answer<Method extends Asked> = (...args: Parameters<Ledger[Method]>) => Awaited<ReturnType<Ledger[Method]>>;
type Read =
  | 'readSums'
  | 'cursors'
  | 'denials'
  | 'search'
  | 'uncovered'
  | 'gaps'
  | 'spoolGaps'
  | 'minutes'
  | 'hours'
  | 'edges'
  | 'quarantined'
  | 'prune'
  | 'close';

/** Throws EDW_ERR_LEDGER_… where the ledger rejects. */
export interface LedgerFile extends LedgerWrites, Pick<{ [Method in Asked]: Answer<Method> }, Read> {
  lives(): LedgerLife[];
  /** What was lost of a day, since it was asked last. */
  reports(): EdgewardError[];
}

/** All of it or nothing. */
interface LedgerWrites {
  store(batch: LogBatchToStore): Committed<StoredDenial[]>;
  storeNumbered(batch: NumberedBatch): Committed<NumberedResult>;
  storeSpooled(batch: SpoolBatch): Committed<SpoolResult>;
  observeEnforced(
    point: string,
    counts: readonly EnforcedCount[],
    epoch: string | null,
    closedMs?: number | null,
  ): Committed<null>;
  settle(settling: Settling): Committed<Settled>;
}

export interface Committed<Result> {
  result: Result;
  /** The rows that it changed, as they are since then. */
  sums: Partial<LedgerSums>;
}

export function openLedgerFile(options: DatabaseOptions): LedgerFile {
  const { db, days, lives } = openDatabase(options);
  try {
    return guarded(`opening the ledger ${options.file}`, () => ({ ...ledgerIn(db, days), lives: () => lives }));
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function ledgerIn(db: DatabaseSync, options: DayFilesOptions): Omit<LedgerFile, 'lives'> {
  const days = dayFiles(db, options);
  const rollups = rollupTables(db);
  const gaps = uncoveredDenials(db);
  const tables: Tables = {
    days,
    events: eventWriter(db, days, rollups),
    rollups,
    counters: enforcedCounters(db),
    cursors: logCursors(db),
    sequences: numberSequences(db),
    spools: numberSequences(db, ofSpools),
    uncovered: gaps,
    settlements: settlementRows(db, gaps),
  };
  const { counters, cursors, sequences, spools, uncovered } = tables;
  const quarantined = db.prepare('SELECT point, cause, sample FROM quarantine ORDER BY id');
  const reading = <Result>(run: () => Result): Result => guarded('reading the ledger', run);
  return {
    ...writesOf(db, tables),
    readSums: () =>
      reading(() => ({
        ...tables.events.sums(),
        sequences: sequences.totals(null),
        spools: spools.totals(null),
        uncovered: uncovered.totals(null),
        enforced: counters.totals(null),
      })),
    cursors: (point, log) => guarded('reading the cursors', () => cursors.read(point, log)),
    denials: (query) => reading(() => days.read(query)),
    search: (search) => {
      const checked = checkSearch(search);
      return reading(() => days.search(checked));
    },
    reports: days.reports,
    uncovered: (query) => reading(() => uncovered.since(query)),
    gaps: (point) => reading(() => sequences.gaps(point)),
    spoolGaps: (point) => reading(() => spools.gaps(point)),
    minutes: (query) => reading(() => rollups.minutes(query)),
    hours: (query) => reading(() => rollups.hours(query)),
    edges: (query) => reading(() => rollups.edges(query)),
    quarantined: () => reading(() => quarantined.all().map((row) => ({ ...row }) as unknown as QuarantinedLine)),
    prune: retentionIn(db, tables),
    close() {
      days.close();
      if (db.isOpen) db.close();
    },
  };
}

interface Tables {
  days: DayFiles;
  events: ReturnType<typeof eventWriter>;
  rollups: RollupTables;
  counters: ReturnType<typeof enforcedCounters>;
  cursors: ReturnType<typeof logCursors>;
  sequences: ReturnType<typeof numberSequences>;
  spools: ReturnType<typeof numberSequences>;
  uncovered: ReturnType<typeof uncoveredDenials>;
  settlements: SettlementRows;
}

function writesOf(db: DatabaseSync, tables: Tables): LedgerWrites {
  const { events, counters, cursors, sequences, spools, uncovered, settlements } = tables;
  const storing = <Result>(point: string, run: () => Result): Result =>
    guarded(`storing denials of ${point}`, () => {
      try {
        return inTransaction(db, run);
      } catch (thrown) {
        events.forget();
        throw thrown;
      }
    });
  return {
    store: (batch) =>
      storing(batch.point, () => {
        for (const change of batch.cursors) cursors.move(batch, change);
        const { stored, sums } = events.write(batch);
        return { result: stored, sums };
      }),
    storeNumbered: (batch) =>
      storing(batch.point, () => {
        const { point, denials, storedMs } = batch;
        const numbers = denials.map(({ number, event }) => ({ number, readable: event !== null }));
        const { accepted, ...taken } = sequences.take(point, numbers, storedMs);
        const accounted = denials.flatMap(({ event }, place) => (accepted[place] && event !== null ? [event] : []));
        const { stored, sums } = events.write({ ...batch, events: accounted, losses: [] });
        return { result: { ...taken, stored }, sums: { ...sums, sequences: sequences.totals(point) } };
      }),
    storeSpooled: (batch) =>
      storing(batch.point, () => {
        const { point, epoch, storedMs, records } = batch;
        const numbers = records.map(({ seq }) => ({ number: { tmm: 0, epoch, seq, suppressed: 0 }, readable: true }));
        const { accepted, missing, late, repeated } = spools.take(point, numbers, storedMs);
        const { gaps, ...told } = byKind(records.filter((_, place) => accepted[place]));
        for (const gap of gaps) uncovered.add(point, gap, storedMs);
        const { stored, sums } = events.write({ point, log: 'spool', storedMs, ...told });
        const { unparsed, losses } = told;
        const changed = { spools: spools.totals(point), uncovered: gaps.length > 0 ? uncovered.totals(point) : [] };
        const result = { missing, late, repeated, stored, uncovered: gaps, unparsed, losses };
        return { result, sums: { ...sums, ...changed } };
      }),
    observeEnforced: (point, counts, epoch, closedMs = null) =>
      guarded(`storing the counters of ${point}`, () =>
        inTransaction(db, () => {
          counters.observe(point, counts, epoch);
          if (closedMs !== null) settlements.closed(point, closedMs);
          return { result: null, sums: { enforced: counters.totals(point) } };
        }),
      ),
    settle: (settling) =>
      guarded(`closing the books of ${settling.point}`, () =>
        inTransaction(db, () => {
          const result = settlements.settle(settling);
          const { point } = settling;
          return { result, sums: { uncovered: uncovered.totals(point), enforced: counters.totals(point) } };
        }),
      ),
  };
}

function retentionIn(db: DatabaseSync, tables: Tables): LedgerFile['prune'] {
  const { days, events, rollups, sequences, spools, uncovered } = tables;
  return ({ eventsBeforeMs: beforeMs, rollupsBeforeMs }, maxRows) =>
    guarded('deleting old denials', () => {
      const forgotten = inTransaction(db, () => {
        let deleted = days.forgetOld(beforeMs, maxRows);
        for (const old of [sequences, spools, uncovered, events]) deleted += old.prune(beforeMs, maxRows - deleted);
        return deleted + rollups.prune(rollupsBeforeMs, maxRows - deleted);
      });
      days.deleteOld(beforeMs);
      return forgotten;
    });
}
