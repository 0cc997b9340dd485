/**
 * Which numbers of a point's denials the ledger has. Each TMM of a BIG-IP counts 1, 2, 3 … in each of its lives (epochs);
 * a number is taken once, whatever comes twice, late or after a restart of ours. A hole is a gap from the moment that a
 * higher number is taken; a late one fills it. Gaps are ranges, so that no number, however large, costs more than a row.
 *
 * For every sequence: highest = stored + missing, and what its TMM observed is stored + missing + suppressed.
 */
import type { DatabaseSync } from 'node:sqlite';
import { mostCounted } from './ledger-counters.ts';

export interface SequenceNumber {
  tmm: number;
  epoch: string;
  /** From 1. */
  seq: number;
  /** Denials of this TMM and epoch, so far, that were left unsent to keep to a rate. */
  suppressed: number;
}

export interface NumberToTake {
  number: SequenceNumber;
  /** false: it was sent, but what it numbers could not be read. It is missing then. */
  readable: boolean;
}

export interface Taken {
  /** By place in what was given: is to be stored. */
  accepted: boolean[];
  /** Numbers that are missing since now. */
  missing: number;
  /** Numbers that were missing before. */
  late: number;
  /** Messages whose number was taken before. */
  repeated: number;
  /** By how much the running totals of the suppressed grew. */
  suppressed: number;
}

export interface SequenceTotal {
  point: string;
  stored: number;
  missing: number;
  suppressed: number;
}

export interface Gap {
  point: string;
  tmm: number;
  epoch: string;
  first: number;
  last: number;
  seenMs: number;
}

export interface LedgerSequences {
  /** Within the transaction that stores what was accepted. */
  take(point: string, numbers: readonly NumberToTake[], nowMs: number): Taken;
  totals(): SequenceTotal[];
  /** The newest thousand, newest first. */
  gaps(point: string): Gap[];
  /** Deletes at most `maxRows` gaps seen before that instant; sums stay. */
  prune(beforeMs: number, maxRows: number): number;
}

/** The tables of one kind of sender; what is numbered differs, how it is counted does not. */
export interface SequenceTables {
  sequences: string;
  gaps: string;
  ended: string;
}

/** TMMs, which number denials. */
const ofTmms: SequenceTables = { sequences: 'sequences', gaps: 'gaps', ended: 'ended_sequences' };
/** Spools, which number records, of one denial or more each; a spool is one sequence, its `tmm` is 0. */
export const ofSpools: SequenceTables = { sequences: 'spools', gaps: 'spool_gaps', ended: 'ended_spools' };

/** A TMM begins a new one at each restart and each load of its rules. */
const maxSequences = 4_096;

interface Sequence {
  highest: number;
  stored: number;
  suppressed: number;
}

type Key = { point: string; tmm: number; epoch: string };

export function ledgerSequences(db: DatabaseSync, tables: SequenceTables = ofTmms): LedgerSequences {
  const find = db.prepare(`SELECT highest, stored, suppressed FROM ${tables.sequences}
    WHERE point = :point AND tmm = :tmm AND epoch = :epoch`);
  const put = db.prepare(`INSERT OR REPLACE INTO ${tables.sequences}
    VALUES (:point, :tmm, :epoch, :highest, :stored, :suppressed, :nowMs)`);
  const gaps = gapTable(db, tables);
  const forgetOldest = sequenceEnd(db, tables, gaps);
  const totals = db.prepare(`SELECT point, total(stored) AS stored, total(missing) AS missing,
      total(suppressed) AS suppressed
    FROM (SELECT point, stored, highest - stored AS missing, suppressed FROM ${tables.sequences}
      UNION ALL SELECT point, stored, missing, suppressed FROM ${tables.ended})
    GROUP BY point ORDER BY point`);

  /** Answers in ascending order, so that numbers that only overtook each other on their way make no gap. */
  function takeOf(key: Key, entries: Entry[], nowMs: number, taken: Taken): void {
    const known = find.get({ ...key }) as unknown as Sequence | undefined;
    const sequence = { ...(known ?? { highest: 0, stored: 0, suppressed: 0 }) };
    for (const { place, readable, number } of entries.toSorted(bySeq)) {
      const { seq } = number;
      if (seq > sequence.highest) {
        const last = readable ? seq - 1 : seq;
        if (last > sequence.highest) gaps.add(key, sequence.highest + 1, last, nowMs);
        taken.missing += last - sequence.highest;
        sequence.highest = seq;
        taken.accepted[place] = readable;
      } else if (readable && gaps.fill(key, seq)) {
        taken.late += 1;
        taken.accepted[place] = true;
      } else if (readable) taken.repeated += 1;
      if (taken.accepted[place]) sequence.stored += 1;
      taken.suppressed += Math.max(0, number.suppressed - sequence.suppressed);
      sequence.suppressed = Math.max(number.suppressed, sequence.suppressed);
    }
    put.run({ ...key, ...sequence, nowMs });
    if (known === undefined) forgetOldest(key.point);
  }

  return {
    take(point, numbers, nowMs) {
      const taken: Taken = { accepted: numbers.map(() => false), missing: 0, late: 0, repeated: 0, suppressed: 0 };
      const entries = numbers.map((given, place) => ({ ...given, place }));
      for (const own of bySequence(entries)) {
        const { tmm, epoch } = own[0].number;
        takeOf({ point, tmm, epoch }, own, nowMs, taken);
      }
      return taken;
    },
    totals: () => totals.all().map((row) => ({ ...row }) as unknown as SequenceTotal),
    gaps: gaps.newest,
    prune: gaps.prune,
  };
}

type Entry = NumberToTake & { place: number };

function bySequence(entries: readonly Entry[]): Iterable<[Entry, ...Entry[]]> {
  const sequences = new Map<string, [Entry, ...Entry[]]>();
  for (const entry of entries) {
    const key = `${entry.number.tmm} ${entry.number.epoch}`;
    const own = sequences.get(key);
    if (own === undefined) sequences.set(key, [entry]);
    else own.push(entry);
  }
  return sequences.values();
}

/** Of two with one number, the one that can be read comes first. */
const bySeq = (a: Entry, b: Entry): number => a.number.seq - b.number.seq || Number(b.readable) - Number(a.readable);

interface GapTable {
  add(key: Key, first: number, last: number, nowMs: number): void;
  /** Takes the number out of its gap; false: it is in none. */
  fill(key: Key, seq: number): boolean;
  forget(key: Key): void;
  newest(point: string): Gap[];
  prune(beforeMs: number, maxRows: number): number;
}

function gapTable(db: DatabaseSync, tables: SequenceTables): GapTable {
  const own = 'point = :point AND tmm = :tmm AND epoch = :epoch';
  const below = db.prepare(`SELECT first, last, seen_ms AS seenMs FROM ${tables.gaps}
    WHERE ${own} AND first <= :seq ORDER BY first DESC LIMIT 1`);
  const put = db.prepare(`INSERT OR REPLACE INTO ${tables.gaps} VALUES (:point, :tmm, :epoch, :first, :last, :seenMs)`);
  const drop = db.prepare(`DELETE FROM ${tables.gaps} WHERE ${own} AND first = :first`);
  const dropAll = db.prepare(`DELETE FROM ${tables.gaps} WHERE ${own}`);
  const newest = db.prepare(`SELECT point, tmm, epoch, first, last, seen_ms AS seenMs FROM ${tables.gaps}
    WHERE point = ? ORDER BY seen_ms DESC, last DESC LIMIT 1000`);
  const old = db.prepare(`DELETE FROM ${tables.gaps} WHERE (point, tmm, epoch, first) IN
    (SELECT point, tmm, epoch, first FROM ${tables.gaps} WHERE seen_ms < :beforeMs LIMIT :maxRows)`);
  type Range = { first: number; last: number; seenMs: number };
  const at = (key: Key, seq: number): Range | undefined => {
    const range = below.get({ ...key, seq }) as unknown as Range | undefined;
    return range !== undefined && range.last >= seq ? range : undefined;
  };
  return {
    add(key, first, last, nowMs) {
      const before = at(key, first - 1);
      put.run({ ...key, first: before?.first ?? first, last, seenMs: before?.seenMs ?? nowMs });
    },
    fill(key, seq) {
      const range = at(key, seq);
      if (range === undefined) return false;
      const { first, last, seenMs } = range;
      if (first === seq) drop.run({ ...key, first });
      else put.run({ ...key, first, last: seq - 1, seenMs });
      if (last > seq) put.run({ ...key, first: seq + 1, last, seenMs });
      return true;
    },
    forget: (key) => void dropAll.run({ ...key }),
    newest: (point) => newest.all(point).map((row) => ({ ...row }) as unknown as Gap),
    prune: (beforeMs, maxRows) => Number(old.run({ beforeMs, maxRows }).changes),
  };
}

/** Keeps a point's sequences to a number that a hostile sender cannot raise: the one heard least lately goes into the sums. */
function sequenceEnd(db: DatabaseSync, tables: SequenceTables, gaps: GapTable): (point: string) => void {
  const count = db.prepare(`SELECT count(*) AS count FROM ${tables.sequences} WHERE point = ?`);
  const oldest = db.prepare(`SELECT point, tmm, epoch, highest, stored, suppressed FROM ${tables.sequences}
    WHERE point = ? ORDER BY heard_ms LIMIT 1`);
  const add = db.prepare(`INSERT INTO ${tables.ended} VALUES (:point, :stored, :missing, :suppressed)
    ON CONFLICT DO UPDATE SET stored = min(${mostCounted}, stored + :stored), missing = min(${mostCounted}, missing + :missing),
      suppressed = min(${mostCounted}, suppressed + :suppressed)`);
  const drop = db.prepare(`DELETE FROM ${tables.sequences} WHERE point = :point AND tmm = :tmm AND epoch = :epoch`);
  return (point) => {
    if (Number(count.get(point)?.count) <= maxSequences) return;
    const { highest, stored, suppressed, ...key } = oldest.get(point) as unknown as Sequence & Key;
    add.run({ point, stored, suppressed, missing: highest - stored });
    gaps.forget(key);
    drop.run({ ...key });
  };
}
