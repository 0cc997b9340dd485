/** Which numbers of a sender the ledger has, as rows: how they are taken is `sequences`. */
import type { Gap } from '../ledger.ts';
import {
  bySequence,
  emptySequence,
  type GapRanges,
  maxSequences,
  type NumberEntry,
  type NumberToTake,
  nothingTaken,
  type Sequence,
  type Taken,
  takeNumbers,
} from '../sequences.ts';
import { mostCounted, type SequenceTotal } from '../sums.ts';
import { msOf, timeOf } from './event-rows.ts';
import { columnsOf } from './rollup-terms.ts';
import type { Asking } from './session.ts';
import { readText, storedName, storedText } from './stored-text.ts';

/** TMMs number denials; spools number records, of one denial or more each. A spool is one sequence, its tmm is 0. */
export type Numbering = 'tmm' | 'spool';

interface Key {
  tmm: number;
  epoch: string;
}

interface Known extends Key, Sequence {}

interface Range {
  first: number;
  last: number;
  seenMs: number;
}

/** Within the transaction that stores what was accepted. */
export async function takeFrom(
  asking: Asking,
  kind: Numbering,
  point: string,
  numbers: readonly NumberToTake[],
  nowMs: number,
): Promise<Taken> {
  const taken = nothingTaken(numbers.length);
  const stored = numbers.map(({ number, readable }) => ({
    number: { ...number, epoch: storedName(storedText(number.epoch)) },
    readable,
  }));
  const groups = bySequence(stored);
  const sender = [kind, storedName(storedText(point))];
  const known = await knownOf(asking, sender, groups);
  const touched = await gapsAt(asking, sender, groups, known);
  const now: Known[] = [];
  const changed: ChangedGaps = { gone: [], put: [] };
  for (const own of groups) {
    const { tmm, epoch } = own[0].number;
    const before = known.get(nameOf({ tmm, epoch })) ?? emptySequence;
    const ranges = touched.get(nameOf({ tmm, epoch })) ?? rangesOf([]);
    now.push({ tmm, epoch, ...takeNumbers(before, own, ranges.of(nowMs), taken) });
    const { gone, put } = ranges.changes();
    changed.gone.push(...gone.map((first) => ({ tmm, epoch, first })));
    changed.put.push(...put.map((range) => ({ tmm, epoch, ...range })));
  }
  await writeGaps(asking, sender, changed);
  if (now.length > 0) await asking.rows(putSequences, [...sender, nowMs, ...columnsOf(now, sequenceKeys)]);
  if (known.size < groups.length) await asking.rows(forgetOldest, sender);
  return taken;
}

const nameOf = ({ tmm, epoch }: Key): string => `${tmm} ${epoch}`;
const sequenceKeys = ['tmm', 'epoch', 'highest', 'stored', 'suppressed'] as const;

async function knownOf(asking: Asking, sender: string[], groups: Groups): Promise<Map<string, Known>> {
  const found = await asking.rows<Known>(
    `SELECT tmm, epoch, highest, stored, suppressed FROM sequences
      JOIN unnest($3::bigint[], $4::text[]) AS given (tmm, epoch) USING (tmm, epoch) WHERE kind = $1 AND point = $2`,
    [...sender, ...columnsOf(keysOf(groups), ['tmm', 'epoch'])],
  );
  return new Map(found.map((sequence) => [nameOf(sequence), sequence]));
}

type Groups = readonly [NumberEntry, ...NumberEntry[]][];

const keysOf = (groups: Groups): Key[] => groups.map(([{ number }]) => ({ tmm: number.tmm, epoch: number.epoch }));

/** The gaps that hold one of the numbers, and the one that the next would join. */
async function gapsAt(
  asking: Asking,
  sender: string[],
  groups: Groups,
  known: ReadonlyMap<string, Sequence>,
): Promise<Map<string, Ranges>> {
  const probes = groups.flatMap(([first, ...others]) => {
    const { tmm, epoch } = first.number;
    const highest = known.get(nameOf({ tmm, epoch }))?.highest ?? 0;
    const below = [first, ...others].map(({ number }) => number.seq).filter((seq) => seq < highest);
    return highest === 0 ? [] : [...new Set([...below, highest])].map((seq) => ({ tmm, epoch, seq }));
  });
  const ranges = new Map<string, Range[]>();
  if (probes.length === 0) return new Map();
  const found = await asking.rows<Key & Range>(
    `SELECT DISTINCT tmm, epoch, first, last, ${msOf('seen_at')} AS "seenMs"
      FROM unnest($3::bigint[], $4::text[], $5::bigint[]) AS given (tmm, epoch, seq) CROSS JOIN LATERAL (
        SELECT first, last, seen_at FROM gaps
        WHERE kind = $1 AND point = $2 AND gaps.tmm = given.tmm AND gaps.epoch = given.epoch AND first <= seq
        ORDER BY first DESC LIMIT 1) AS below
      WHERE last >= seq`,
    [...sender, ...columnsOf(probes, ['tmm', 'epoch', 'seq'])],
  );
  for (const { tmm, epoch, ...range } of found) {
    const own = ranges.get(nameOf({ tmm, epoch }));
    if (own === undefined) ranges.set(nameOf({ tmm, epoch }), [range]);
    else own.push(range);
  }
  return new Map([...ranges].map(([name, own]) => [name, rangesOf(own)]));
}

interface Ranges {
  of(nowMs: number): GapRanges;
  /** Where those began that are no more, and those that are new or changed. */
  changes(): { gone: number[]; put: Range[] };
}

/** Ranges that are looked at, by where they begin. */
function rangesOf(read: readonly Range[]): Ranges {
  const ranges = new Map(read.map((range) => [range.first, range]));
  const at = (seq: number): Range | undefined => {
    for (const range of ranges.values()) if (range.first <= seq && seq <= range.last) return range;
    return undefined;
  };
  const put = (range: Range): void => void (range.first <= range.last && ranges.set(range.first, range));
  return {
    of: (nowMs) => ({
      add(first, last) {
        const before = at(first - 1);
        put({ first: before?.first ?? first, last, seenMs: before?.seenMs ?? nowMs });
      },
      fill(seq) {
        const range = at(seq);
        if (range === undefined) return false;
        ranges.delete(range.first);
        put({ ...range, last: seq - 1 });
        put({ ...range, first: seq + 1 });
        return true;
      },
    }),
    changes: () => ({
      gone: read.filter(({ first }) => !ranges.has(first)).map(({ first }) => first),
      put: [...ranges.values()].filter((range) => !read.includes(range)),
    }),
  };
}

interface ChangedGaps {
  gone: (Key & { first: number })[];
  put: (Key & Range)[];
}

async function writeGaps(asking: Asking, sender: string[], { gone, put }: ChangedGaps): Promise<void> {
  if (gone.length > 0) await asking.rows(dropGaps, [...sender, ...columnsOf(gone, ['tmm', 'epoch', 'first'])]);
  if (put.length > 0) {
    await asking.rows(putGaps, [...sender, ...columnsOf(put, ['tmm', 'epoch', 'first', 'last', 'seenMs'])]);
  }
}

const dropGaps = `DELETE FROM gaps USING unnest($3::bigint[], $4::text[], $5::bigint[]) AS given (tmm, epoch, first)
  WHERE kind = $1 AND point = $2 AND gaps.tmm = given.tmm AND gaps.epoch = given.epoch AND gaps.first = given.first`;
const putGaps = `INSERT INTO gaps (kind, point, tmm, epoch, first, last, seen_at)
  SELECT $1, $2, tmm, epoch, first, last, ${timeOf('seen')}
  FROM unnest($3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::float8[]) AS given (tmm, epoch, first, last, seen)
  ON CONFLICT (kind, point, tmm, epoch, first) DO UPDATE SET last = excluded.last, seen_at = excluded.seen_at`;

const putSequences = `INSERT INTO sequences (kind, point, tmm, epoch, highest, stored, suppressed, heard_at)
  SELECT $1, $2, tmm, epoch, highest, stored, suppressed, ${timeOf('$3')}
  FROM unnest($4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])
    AS given (tmm, epoch, highest, stored, suppressed)
  ON CONFLICT (kind, point, tmm, epoch) DO UPDATE SET highest = excluded.highest, stored = excluded.stored,
    suppressed = excluded.suppressed, heard_at = excluded.heard_at`;

/** Keeps a point's sequences to a number that a hostile sender cannot raise: those heard least lately go into the sums. */
const forgetOldest = `WITH old AS (
    SELECT tmm, epoch FROM sequences WHERE kind = $1 AND point = $2
    ORDER BY heard_at DESC, tmm, epoch OFFSET ${maxSequences}),
  ended AS (
    DELETE FROM sequences AS gone USING old
    WHERE gone.kind = $1 AND gone.point = $2 AND gone.tmm = old.tmm AND gone.epoch = old.epoch
    RETURNING gone.highest, gone.stored, gone.suppressed),
  without AS (
    DELETE FROM gaps USING old
    WHERE gaps.kind = $1 AND gaps.point = $2 AND gaps.tmm = old.tmm AND gaps.epoch = old.epoch)
  INSERT INTO ended_sequences AS kept (kind, point, stored, missing, suppressed)
  SELECT $1, $2, ${bounded('sum(stored)')}, ${bounded('sum(highest - stored)')}, ${bounded('sum(suppressed)')}
  FROM ended HAVING count(*) > 0
  ON CONFLICT (kind, point) DO UPDATE SET stored = ${bounded('kept.stored + excluded.stored')},
    missing = ${bounded('kept.missing + excluded.missing')},
    suppressed = ${bounded('kept.suppressed + excluded.suppressed')}`;

function bounded(sum: string): string {
  return `least(${mostCounted}, ${sum})::bigint`;
}

/** Of one point, or of all. */
export async function sequenceTotals(asking: Asking, kind: Numbering, point: string | null): Promise<SequenceTotal[]> {
  const found = await asking.rows<SequenceTotal>(
    `SELECT point, ${bounded('sum(stored)')} AS stored, ${bounded('sum(missing)')} AS missing,
      ${bounded('sum(suppressed)')} AS suppressed
    FROM (SELECT point, stored, highest - stored AS missing, suppressed FROM sequences WHERE kind = $1
      UNION ALL SELECT point, stored, missing, suppressed FROM ended_sequences WHERE kind = $1) AS every
    WHERE $2::text IS NULL OR point = $2 GROUP BY point`,
    [kind, point === null ? null : storedName(storedText(point))],
  );
  return found.map((total) => ({ ...total, point: readText(total.point) }));
}

/** The newest thousand, newest first. */
export async function newestGaps(asking: Asking, kind: Numbering, point: string): Promise<Gap[]> {
  const found = await asking.rows<Gap>(
    `SELECT point, tmm, epoch, first, last, ${msOf('seen_at')} AS "seenMs" FROM gaps
    WHERE kind = $1 AND point = $2 ORDER BY seen_at DESC, last DESC LIMIT 1000`,
    [kind, storedName(storedText(point))],
  );
  return found.map((gap) => ({ ...gap, point: readText(gap.point), epoch: readText(gap.epoch) }));
}
