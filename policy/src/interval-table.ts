import type { AddressKey } from './address.ts';
import { predecessor, successor } from './address.ts';
import type { IntervalTable } from './compiled.ts';
import type { Labelled } from './interval.ts';
import { compareKeys } from './interval.ts';
import type { Packing } from './table-columns.ts';
import { beginPacking, keepColumns, put } from './table-columns.ts';

/**
 * Address → small number, packed for a store that copies a value on every read (NGINX's shared dictionary costs about
 * 0.5 µs per KB). The first 4 hex digits of an IPv4 key (8 of IPv6) name a bucket; its value is a run of records
 * `lo hi class` of fixed width over the digits that remain, sorted, so a search needs no parsing. A bucket that
 * would grow past `LEAF_CHARS` becomes `+` and records over the next digits, with buckets of longer names below it.
 * What covers whole buckets stands one level up, at the top in `*4` and `*6`; there, what covers a few is written into
 * each, or a list of many /16 would be copied for every source in one of them. Intervals are disjoint, so a bucket's
 * own answer is final. Everything is ASCII: njs strings are UTF-8, and only ASCII can be sliced in constant time.
 */

const LEAF_CHARS = 2048;
/** So many whole buckets at the top are written out: a /13 of IPv4. */
const FEW_BUCKETS = 8;
const CLASS_DIGITS = 4;
/** Numbers in a table stay below it: four digits of a record name each. */
export const CLASS_LIMIT = 65535;
const BRANCH = '+';

/** The number that `key` maps to, or -1. `get` reads one value of the table. */
export function lookup(get: (name: string) => string | undefined, key: AddressKey): number {
  const top = key.length === 8 ? 4 : 8;
  const value = get(key.slice(0, top));
  if (value === undefined) {
    const records = get(rootName(key.length));
    return records === undefined ? -1 : search(records, 0, key.slice(0, top));
  }
  return value[0] === BRANCH ? lookupBelow(get, key, value) : search(value, 0, key.slice(top));
}

/** From the second level on; `wide` is the branch of the first. Apart, because few buckets are so full, and njs pays by the line. */
function lookupBelow(get: (name: string) => string | undefined, key: AddressKey, wide: string): number {
  const levels = levelsOf(key.length);
  let branch = wide;
  for (let i = 1; i < levels.length; i += 1) {
    const above = levels[i - 1] as number;
    const depth = levels[i] as number;
    const value = get(key.slice(0, depth));
    if (value === undefined) return search(branch, 1, key.slice(above, depth));
    if (value[0] !== BRANCH) return search(value, 0, key.slice(depth));
    branch = value;
  }
  return -1;
}

/**
 * Packs sorted disjoint intervals, IPv4 before IPv6. What is as in `earlier` becomes the same string, so that whoever
 * compares the two tables need not look at its characters.
 */
export function pack(intervals: Labelled[], earlier?: IntervalTable): IntervalTable {
  const packing = beginPacking(earlier);
  let split = 0;
  while (split < intervals.length && (intervals[split] as Labelled).lo.length === 8) split += 1;
  packFamily(packing, intervals.slice(0, split), 8);
  packFamily(packing, intervals.slice(split), 32);
  keepColumns(packing.table, packing);
  return packing.table;
}

/** The intervals of a table, sorted, as `pack` was given them (cut where buckets end, then joined again). */
export function unpack(table: IntervalTable): Labelled[] {
  const pieces: Labelled[] = [];
  const names = Object.keys(table);
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i] as string;
    const value = table[name] as string;
    const prefix = name.charAt(0) === '*' ? '' : name;
    const width = name === '*4' || (prefix !== '' && prefix.length < 8) ? 8 : 32;
    const branch = value.charAt(0) === BRANCH;
    const levels = levelsOf(width);
    const below = prefix === '' ? levels[0] : levels[levels.indexOf(prefix.length) + 1];
    const digits = (prefix === '' || branch ? (below as number) : width) - prefix.length;
    unpackRecords(pieces, value.slice(branch ? 1 : 0), prefix, digits, width);
  }
  pieces.sort((a, b) => compareKeys(a.lo, b.lo));
  return join(pieces);
}

function search(records: string, offset: number, needle: string): number {
  const digits = needle.length;
  const width = digits * 2 + CLASS_DIGITS;
  let from = 0;
  let to = (records.length - offset) / width;
  while (from < to) {
    const middle = (from + to) >> 1;
    const at = offset + middle * width;
    if (needle < records.slice(at, at + digits)) to = middle;
    else if (needle > records.slice(at + digits, at + digits + digits)) from = middle + 1;
    else return parseInt(records.slice(at + digits + digits, at + width), 16);
  }
  return -1;
}

function packFamily(to: Packing, intervals: Labelled[], width: number): void {
  if (intervals.length === 0) return;
  const top = packLevel(to, intervals, '', 0, width);
  if (top !== '') put(to, rootName(width), top);
}

/** Writes the buckets below `prefix` and returns the records that cover whole buckets. */
function packLevel(to: Packing, intervals: Labelled[], prefix: string, level: number, width: number): string {
  const depth = levelsOf(width)[level] as number;
  const from = prefix.length;
  let wide = '';
  let bucket: Labelled[] = [];
  let bucketName = '';
  const flush = (): void => {
    if (bucket.length > 0) packBucket(to, bucket, bucketName, level, width);
    bucket = [];
  };
  const partial = (lo: AddressKey, hi: AddressKey, value: number): void => {
    const name = lo.slice(0, depth);
    if (name !== bucketName) flush();
    bucketName = name;
    bucket.push({ lo, hi, value });
  };
  for (let i = 0; i < intervals.length; i += 1) {
    const it = intervals[i] as Labelled;
    let first: string | null = it.lo.slice(0, depth);
    let last: string | null = it.hi.slice(0, depth);
    const wholeStart = isAll(it.lo, depth, '0');
    const wholeEnd = isAll(it.hi, depth, 'f');
    if (first === last && !(wholeStart && wholeEnd)) {
      partial(it.lo, it.hi, it.value);
      continue;
    }
    if (!wholeStart) {
      partial(it.lo, fill(first, width, 'f'), it.value);
      first = successor(first);
    }
    const tail = last;
    if (!wholeEnd) last = predecessor(last);
    if (first !== null && last !== null && first <= last) {
      if (level === 0 && parseInt(last, 16) - parseInt(first, 16) < FEW_BUCKETS) {
        for (let name: string | null = first; name !== null && name <= last; name = successor(name)) {
          partial(fill(name, width, '0'), fill(name, width, 'f'), it.value);
        }
      } else wide += first.slice(from) + last.slice(from) + classDigits(it.value);
    }
    if (!wholeEnd) partial(fill(tail, width, '0'), it.hi, it.value);
  }
  flush();
  return wide;
}

function packBucket(to: Packing, bucket: Labelled[], name: string, level: number, width: number): void {
  const recordChars = (width - name.length) * 2 + CLASS_DIGITS;
  if (bucket.length * recordChars > LEAF_CHARS && level + 1 < levelsOf(width).length) {
    put(to, name, BRANCH + packLevel(to, bucket, name, level + 1, width));
    return;
  }
  let records = '';
  for (let i = 0; i < bucket.length; i += 1) {
    const it = bucket[i] as Labelled;
    records += it.lo.slice(name.length) + it.hi.slice(name.length) + classDigits(it.value);
  }
  put(to, name, records);
}

function unpackRecords(out: Labelled[], records: string, prefix: string, digits: number, width: number): void {
  const recordChars = digits * 2 + CLASS_DIGITS;
  for (let at = 0; at < records.length; at += recordChars) {
    out.push({
      lo: fill(prefix + records.slice(at, at + digits), width, '0'),
      hi: fill(prefix + records.slice(at + digits, at + digits + digits), width, 'f'),
      value: parseInt(records.slice(at + digits + digits, at + recordChars), 16),
    });
  }
}

function join(pieces: Labelled[]): Labelled[] {
  const out: Labelled[] = [];
  for (let i = 0; i < pieces.length; i += 1) {
    const piece = pieces[i] as Labelled;
    const last = out[out.length - 1];
    if (last !== undefined && last.value === piece.value && successor(last.hi) === piece.lo) last.hi = piece.hi;
    else out.push(piece);
  }
  return out;
}

/** Made when asked for: njs would make two lists anew for each request. */
function levelsOf(width: number): number[] {
  return width === 8 ? [4, 6] : [8, 12, 16, 20, 24, 28, 30];
}

function rootName(width: number): string {
  return width === 8 ? '*4' : '*6';
}

function isAll(key: string, from: number, digit: string): boolean {
  for (let i = from; i < key.length; i += 1) if (key.charAt(i) !== digit) return false;
  return true;
}

function fill(prefix: string, width: number, digit: string): string {
  let out = prefix;
  while (out.length < width) out += digit;
  return out;
}

function classDigits(value: number): string {
  return `0000${value.toString(16)}`.slice(-CLASS_DIGITS);
}
