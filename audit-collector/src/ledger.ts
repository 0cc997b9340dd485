/**
 * The ledger: every denial that was read, once, in one SQLite file that `sqlite3` opens too. Events, totals and the cursor
 * of the log they came from are one transaction, and a cursor moves only from where it is said to stand: what is killed
 * or run twice stores nothing twice and leaves nothing out. A damaged or read-only file is an error with a code; nothing
 * but retention ever deletes.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { DenyEvent } from './deny-event.ts';
import type { Unparsed, UnparsedCause } from './deny-log.ts';
import type { HostGap } from './host-record.ts';
import { type EnforcedCount, type EnforcedTotal, ledgerCounters } from './ledger-counters.ts';
import { ledgerCursors } from './ledger-cursors.ts';
import { ledgerError, newerLedger } from './ledger-error.ts';
import { type DenialQuery, denialOf, denialSelect, type StoredDenial } from './ledger-rows.ts';
import { migrations } from './ledger-schema.ts';
import {
  type Gap,
  ledgerSequences,
  type NumberToTake,
  ofSpools,
  type SequenceTotal,
  type Taken,
} from './ledger-sequences.ts';
import { ledgerUncovered, type Uncovered, type UncoveredQuery, type UncoveredTotal } from './ledger-uncovered.ts';
import { ledgerWriter } from './ledger-writer.ts';
import type { FileCursor, Loss, LossCause } from './log-cursor.ts';
import type { CursorChange } from './log-tail.ts';

export interface LedgerBatch {
  point: string;
  log: string;
  storedMs: number;
  events: readonly DenyEvent[];
  unparsed: readonly Unparsed[];
  cursors: readonly CursorChange[];
  losses: readonly Loss[];
}

/** What a listener received. Their numbers decide what of it is new. */
interface NumberedBatch {
  point: string;
  /** Where it came in, for the samples of what could not be read. */
  log: string;
  storedMs: number;
  denials: readonly NumberedDenial[];
  unparsed: readonly Unparsed[];
}

export interface NumberedDenial {
  number: NumberToTake['number'];
  /** null: it could not be read, its number is missing. */
  event: DenyEvent | null;
}

export type NumberedResult = Omit<Taken, 'accepted'> & { stored: StoredDenial[] };

/** What a spool sent; in it each record has its number. */
interface SpoolBatch {
  point: string;
  epoch: string;
  storedMs: number;
  records: readonly SpoolRecord[];
}

export type SpoolRecord = { seq: number } & ({ event: DenyEvent } | { gap: HostGap });

/** `uncovered`: gaps that were stored now. */
export type SpoolResult = Omit<Taken, 'accepted' | 'suppressed'> & { stored: StoredDenial[]; uncovered: HostGap[] };

interface Total {
  point: string;
  object: string;
  reason: DenyEvent['reason'];
  verdict: DenyEvent['verdict'];
  count: number;
  /** Time of the last event stored. */
  lastMs: number;
}

export interface Ledger {
  /** All of it or nothing. Throws EDW_ERR_LEDGER_CONTENDED when a cursor does not stand where the batch says. */
  store(batch: LedgerBatch): StoredDenial[];
  /** All of it or nothing; what was stored before is left out. */
  storeNumbered(batch: NumberedBatch): NumberedResult;
  /** All of it or nothing; what was stored before is left out. */
  storeSpooled(batch: SpoolBatch): SpoolResult;
  /** For each point that sends from a spool, over all epochs: of records. */
  spools(): SequenceTotal[];
  /** Numbers of records that never came, at most a thousand ranges, newest first. */
  spoolGaps(point: string): Gap[];
  /** Denials that a point counted and has no record of, over all time. */
  uncoveredTotals(): UncoveredTotal[];
  uncovered(query: UncoveredQuery): Uncovered[];
  /** For each point that numbers its denials, over all lives: what it observed is the sum. */
  sequences(): SequenceTotal[];
  /** Numbers of which there is no event, at most a thousand ranges, newest first. */
  gaps(point: string): Gap[];
  cursors(point: string, log: string): FileCursor[];
  denials(query: DenialQuery): StoredDenial[];
  /** The newest with this reference. */
  byRef(ref: string): StoredDenial | null;
  byId(id: number): StoredDenial | null;
  /** All that was ever stored, also what retention has deleted since. */
  totals(): Total[];
  unparsed(): { point: string; cause: UnparsedCause; count: number }[];
  losses(): { point: string; cause: LossCause; count: number }[];
  /** The last hundred lines that could not be read, oldest first. */
  quarantined(): { point: string; cause: UnparsedCause; sample: string }[];
  observeEnforced(point: string, counts: readonly EnforcedCount[], epoch: string | null): void;
  enforced(): EnforcedTotal[];
  /** Deletes at most `maxRows` events and gaps stored, or seen, before that instant; answers how many. */
  prune(beforeMs: number, maxRows: number): number;
  close(): void;
}

export interface LedgerOptions {
  file: string;
  /** FULL (default) survives a power failure, NORMAL only the death of the process. */
  synchronous?: 'FULL' | 'NORMAL' | undefined;
}

const busyTimeoutMs = 2_000;

export function openLedger(options: LedgerOptions): Ledger {
  const doing = `opening the ledger ${options.file}`;
  const db = guarded(doing, () => openDatabase(options.file));
  try {
    return guarded(doing, () => {
      prepareDatabase(db, options);
      return ledgerOn(db);
    });
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function openDatabase(file: string): DatabaseSync {
  // Addresses of people stand in it: ours alone, whatever the umask says. SQLite gives its -wal file the same mode.
  closeSync(openSync(file, 'a', 0o600));
  return new DatabaseSync(file, { timeout: busyTimeoutMs });
}

function prepareDatabase(db: DatabaseSync, options: LedgerOptions): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  if (version > migrations.length) throw newerLedger(options.file, version, migrations.length);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${options.synchronous ?? 'FULL'}`);
  // Also with nothing to migrate: a file that cannot be written is found out now, not at the first denial.
  inTransaction(db, () => {
    for (const migration of migrations.slice(version)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

function ledgerOn(db: DatabaseSync): Ledger {
  const counters = ledgerCounters(db);
  const cursors = ledgerCursors(db);
  const sequences = ledgerSequences(db);
  const spools = ledgerSequences(db, ofSpools);
  const uncovered = ledgerUncovered(db);
  const setIds = new Map<string, number>();
  const write = ledgerWriter(db, setIds);
  const rows = <Row>(sql: string): (() => Row[]) => {
    const statement = db.prepare(sql);
    return () => guarded('reading the ledger', () => statement.all().map((row) => ({ ...row }) as Row));
  };
  const setOf = labelSets(db);
  const find = (query: DenialQuery): StoredDenial[] => {
    const { sql, parameters } = denialSelect(query);
    return guarded('reading the ledger', () => {
      const denials = db
        .prepare(sql)
        .all(parameters)
        .map((row) => denialOf(row, setOf));
      return query.newest ? denials.reverse() : denials;
    });
  };
  const prune = db.prepare(`DELETE FROM events WHERE stored_ms < :beforeMs
    AND id IN (SELECT id FROM events ORDER BY id LIMIT :maxRows)`);
  const storing = <Result>(point: string, run: () => Result): Result => {
    try {
      return inTransaction(db, run);
    } catch (thrown) {
      setIds.clear(); // A set that was interned in this transaction is not there.
      throw ledgerError(`storing denials of ${point}`, thrown);
    }
  };
  return {
    store: (batch) =>
      storing(batch.point, () => {
        for (const change of batch.cursors) cursors.move(batch, change);
        return write(batch);
      }),
    storeNumbered: (batch) =>
      storing(batch.point, () => {
        const numbers = batch.denials.map(({ number, event }) => ({ number, readable: event !== null }));
        const { accepted, ...taken } = sequences.take(batch.point, numbers, batch.storedMs);
        const events = batch.denials.flatMap(({ event }, place) => (accepted[place] && event !== null ? [event] : []));
        return { ...taken, stored: write({ ...batch, events, losses: [] }) };
      }),
    storeSpooled: (batch) =>
      storing(batch.point, () => {
        const { point, epoch, storedMs, records } = batch;
        const numbers = records.map(({ seq }) => ({ number: { tmm: 0, epoch, seq, suppressed: 0 }, readable: true }));
        const { accepted, missing, late, repeated } = spools.take(point, numbers, storedMs);
        const taken = records.filter((_, place) => accepted[place]);
        const events = taken.flatMap((record) => ('event' in record ? [record.event] : []));
        const gaps = taken.flatMap((record) => ('gap' in record ? [record.gap] : []));
        for (const gap of gaps) uncovered.add(point, gap, storedMs);
        const stored = write({ point, log: 'spool', storedMs, events, unparsed: [], losses: [] });
        return { missing, late, repeated, stored, uncovered: gaps };
      }),
    spools: () => guarded('reading the ledger', () => spools.totals()),
    spoolGaps: (point) => guarded('reading the ledger', () => spools.gaps(point)),
    uncoveredTotals: () => guarded('reading the ledger', () => uncovered.totals()),
    uncovered: (query) => guarded('reading the ledger', () => uncovered.since(query)),
    sequences: () => guarded('reading the ledger', () => sequences.totals()),
    gaps: (point) => guarded('reading the ledger', () => sequences.gaps(point)),
    cursors: (point, log) => guarded('reading the cursors', () => cursors.read(point, log)),
    denials: find,
    byRef: (ref) => find({ ref, limit: 1, newest: true })[0] ?? null,
    byId: (id) => find({ id, limit: 1 })[0] ?? null,
    totals: rows('SELECT point, object, reason, verdict, count, last_ms AS lastMs FROM totals'),
    unparsed: rows('SELECT point, cause, count FROM unparsed'),
    losses: rows('SELECT point, cause, count(*) AS count FROM losses GROUP BY point, cause'),
    quarantined: rows('SELECT point, cause, sample FROM quarantine ORDER BY id'),
    observeEnforced(point, counts, epoch) {
      guarded(`storing the counters of ${point}`, () =>
        inTransaction(db, () => counters.observe(point, counts, epoch)),
      );
    },
    enforced: () => guarded('reading the ledger', () => counters.totals()),
    prune: (beforeMs, maxRows) =>
      guarded('deleting old denials', () => {
        let deleted = Number(prune.run({ beforeMs, maxRows }).changes);
        for (const old of [sequences, spools, uncovered]) deleted += old.prune(beforeMs, maxRows - deleted);
        return deleted;
      }),
    close: () => db.close(),
  };
}

function labelSets(db: DatabaseSync): (id: number) => unknown {
  const read = db.prepare('SELECT labels FROM label_sets WHERE id = ?');
  return (id) => JSON.parse(String(read.get(id)?.labels));
}

function inTransaction<Result>(db: DatabaseSync, run: () => Result): Result {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = run();
    db.exec('COMMIT');
    return result;
  } catch (thrown) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw thrown;
  }
}

function guarded<Result>(doing: string, run: () => Result): Result {
  try {
    return run();
  } catch (thrown) {
    throw ledgerError(doing, thrown);
  }
}
