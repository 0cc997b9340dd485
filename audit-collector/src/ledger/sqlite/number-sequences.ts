/** Which numbers of a sender the ledger has, as rows: how they are taken is `sequences`. */
import type { DatabaseSync } from 'node:sqlite';
import type { Gap } from '../ledger.ts';
import {
  bySequence,
  emptySequence,
  type GapRanges,
  maxSequences,
  type NumberToTake,
  nothingTaken,
  type Sequence,
  type Taken,
  takeNumbers,
} from '../sequences.ts';
import { mostCounted, type SequenceTotal } from '../sums.ts';

export interface NumberSequences {
  /** Within the transaction that stores what was accepted. */
  take(point: string, numbers: readonly NumberToTake[], nowMs: number): Taken;
  /** Of one point, or of all. */
  totals(point: string | null): SequenceTotal[];
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

type Key = { point: string; tmm: number; epoch: string };

export function numberSequences(db: DatabaseSync, tables: SequenceTables = ofTmms): NumberSequences {
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
    GROUP BY point`);
  const totalsOf = db.prepare(`SELECT :point AS point, total(stored) AS stored, total(missing) AS missing,
      total(suppressed) AS suppressed
    FROM (SELECT stored, highest - stored AS missing, suppressed FROM ${tables.sequences} WHERE point = :point
      UNION ALL SELECT stored, missing, suppressed FROM ${tables.ended} WHERE point = :point)`);

  return {
    take(point, numbers, nowMs) {
      const taken = nothingTaken(numbers.length);
      for (const own of bySequence(numbers)) {
        const { tmm, epoch } = own[0].number;
        const key = { point, tmm, epoch };
        const known = find.get(key) as unknown as Sequence | undefined;
        put.run({ ...key, ...takeNumbers(known ?? emptySequence, own, gaps.of(key, nowMs), taken), nowMs });
        if (known === undefined) forgetOldest(point);
      }
      return taken;
    },
    totals(point) {
      const rows = point === null ? totals.all() : totalsOf.all({ point });
      return rows.map((row) => ({ ...row }) as unknown as SequenceTotal);
    },
    gaps: gaps.newest,
    prune: gaps.prune,
  };
}

interface GapTable {
  of(key: Key, nowMs: number): GapRanges;
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
    of: (key, nowMs) => ({
      add(first, last) {
        const before = at(key, first - 1);
        put.run({ ...key, first: before?.first ?? first, last, seenMs: before?.seenMs ?? nowMs });
      },
      fill(seq) {
        const range = at(key, seq);
        if (range === undefined) return false;
        const { first, last, seenMs } = range;
        if (first === seq) drop.run({ ...key, first });
        else put.run({ ...key, first, last: seq - 1, seenMs });
        if (last > seq) put.run({ ...key, first: seq + 1, last, seenMs });
        return true;
      },
    }),
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
