import { compareText, type IntervalTable, type Labelled, successor, unpack } from '@edgeward/policy';

/**
 * A packed table's intervals in order, as `unpack` gives them all at once, with one bucket in memory: a million of them
 * would be hundreds of megabytes of objects.
 */
export function* intervalsOf(table: IntervalTable): Generator<Labelled> {
  let held: Labelled | null = null;
  for (const piece of piecesOf(table)) {
    // What touches was one interval until a bucket's end cut it.
    const joined: Labelled | null = held === null ? null : joinedOf(held, piece);
    if (held !== null && joined === null) yield held;
    held = joined ?? piece;
  }
  if (held !== null) yield held;
}

function joinedOf(one: Labelled, next: Labelled): Labelled | null {
  const touches = one.value === next.value && successor(one.hi) === next.lo;
  return touches ? { lo: one.lo, hi: next.hi, value: one.value } : null;
}

function* piecesOf(table: IntervalTable): Generator<Labelled> {
  const names = Object.keys(table).filter((name) => !name.startsWith('*'));
  // IPv4 comes first, and its names are shorter. As text, a bucket comes before those below it.
  yield* familyOf(
    table,
    '*4',
    names.filter((name) => name.length < 8),
  );
  yield* familyOf(
    table,
    '*6',
    names.filter((name) => name.length >= 8),
  );
}

/** What a bucket holds itself lies before, between and behind the buckets below it. */
function* familyOf(table: IntervalTable, root: string, names: string[]): Generator<Labelled> {
  let open = [bucketOf(table, root)];
  for (const name of names.sort(compareText)) {
    yield* before(name, open);
    open = [...open.filter((bucket) => bucket.at < bucket.held.length), bucketOf(table, name)];
  }
  yield* before(null, open);
}

interface Bucket {
  held: Labelled[];
  at: number;
}

function bucketOf(table: IntervalTable, name: string): Bucket {
  const records = table[name];
  if (records === undefined) return { held: [], at: 0 };
  // V8 keeps a shape for each new name of a plain object's key; of these there would be hundreds of thousands.
  const alone: IntervalTable = Object.create(null);
  alone[name] = records;
  return { held: unpack(alone), at: 0 };
}

/** Of all open buckets, in order, what begins before that name; null: whatever is left. */
function* before(name: string | null, open: readonly Bucket[]): Generator<Labelled> {
  for (;;) {
    let least: Bucket | null = null;
    for (const bucket of open) {
      const next = bucket.held[bucket.at];
      const best = least?.held[least.at];
      if (next !== undefined && (best === undefined || next.lo < best.lo)) least = bucket;
    }
    const next = least?.held[least.at];
    if (least === null || next === undefined || (name !== null && next.lo >= name)) return;
    least.at += 1;
    yield next;
  }
}
