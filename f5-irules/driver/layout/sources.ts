import {
  type AddressKey,
  type CompiledObject,
  compareKeys,
  type IntervalTable,
  type Labelled,
  predecessor,
  successor,
  unpack,
} from '@edgeward/policy';
import { type Cidr, cidrsOf, fileName, recordName } from './cidrs.ts';
import type { DataRecord } from './layout.ts';

/** Who a source is: disjoint intervals in order, each with the data of its records. */
interface Sources {
  lo: AddressKey;
  hi: AddressKey;
  data: string;
}

/** Records of an object's ip group, made anew on each call. `classes` are its outcomes. */
export function* sourceRecords(
  object: CompiledObject,
  classes: readonly string[],
  domain: number,
): Generator<DataRecord> {
  for (const { cidr, data } of blocksOf(object, classes)) yield { name: recordName(cidr, domain), data };
}

/** The same as lines of an external group's file. */
export function* sourceLines(object: CompiledObject, classes: readonly string[], domain: number): Generator<string> {
  for (const { cidr, data } of blocksOf(object, classes)) yield `${fileName(cidr, domain)} := "${data}",\n`;
}

function* blocksOf(object: CompiledObject, classes: readonly string[]): Generator<{ cidr: Cidr; data: string }> {
  for (const { lo, hi, data } of sourcesOf(object, classes)) {
    for (const cidr of cidrsOf(lo, hi)) if (!isMapped(cidr)) yield { cidr, data };
  }
}

/** Within `::ffff:0:0/96`, where nobody is: such an address is judged as the IPv4 one. */
function isMapped({ lo, prefix }: Cidr): boolean {
  return prefix >= 96 && lo.length === 32 && lo.startsWith('00000000000000000000ffff');
}

function* sourcesOf(object: CompiledObject, classes: readonly string[]): Generator<Sources> {
  const dataOf = (value: number): string => classes[value] ?? 'no-port';
  // A connection is its peer's: whom a proxy speaks for is only asked of requests.
  if (object.trustedProxies === null || object.protocol === 'tcp') {
    for (const { lo, hi, value } of intervalsOf(object.sources)) yield { lo, hi, data: dataOf(value) };
    return;
  }
  for (const { lo, hi, value, trusted } of overlay(unpack(object.sources), unpack(object.trustedProxies))) {
    const data = value === null ? '' : dataOf(value);
    yield { lo, hi, data: trusted ? `trusted ${data}`.trimEnd() : data };
  }
}

/** A table's intervals in order, one top-level bucket at a time: a million of them would be a lot of objects. */
function* intervalsOf(table: IntervalTable): Generator<Labelled> {
  const buckets = new Map<string, string[]>();
  for (const name of Object.keys(table)) {
    if (name.startsWith('*')) continue;
    const top = name.slice(0, name.length < 8 ? 4 : 8);
    const names = buckets.get(top);
    if (names === undefined) buckets.set(top, [name]);
    else names.push(name);
  }
  const wide = unpack(only(table, ['*4', '*6']));
  let next = 0;
  // Names of IPv4 are shorter, and IPv4 comes first.
  const tops = [...buckets.keys()].sort((a, b) => compareKeys(a, b));
  for (const top of tops) {
    const bucket = unpack(only(table, buckets.get(top) ?? []));
    const first = bucket[0];
    for (
      let it = wide[next];
      first !== undefined && it !== undefined && compareKeys(it.lo, first.lo) < 0;
      it = wide[next]
    ) {
      yield it;
      next += 1;
    }
    yield* bucket;
  }
  yield* wide.slice(next);
}

function only(table: IntervalTable, names: readonly string[]): IntervalTable {
  return Object.fromEntries(names.flatMap((name) => (table[name] === undefined ? [] : [[name, table[name]]])));
}

interface Overlaid {
  lo: AddressKey;
  hi: AddressKey;
  value: number | null;
  trusted: boolean;
}

/** Both lists are sorted and disjoint; so is the answer, cut wherever one of them begins or ends. */
function* overlay(sources: readonly Labelled[], trusted: readonly Labelled[]): Generator<Overlaid> {
  const [a, b] = [cursor(sources), cursor(trusted)];
  for (;;) {
    const [source, proxy] = [a.rest(), b.rest()];
    if (source === null && proxy === null) return;
    const lo = lesser(source?.lo, proxy?.lo);
    const [value, isTrusted] = [source?.lo === lo ? source.value : null, proxy?.lo === lo];
    const ends = [source, proxy].flatMap((it) => (it === null ? [] : [it.lo === lo ? it.hi : predecessor(it.lo)]));
    const hi = ends.reduce<AddressKey | null>((least, end) => nearer(least, end, lo), null) ?? lo;
    yield { lo, hi, value, trusted: isTrusted };
    if (source?.lo === lo) a.pass(hi);
    if (isTrusted) b.pass(hi);
  }
}

/** What is left of a list: the first interval without what was passed already. */
function cursor(list: readonly Labelled[]): { rest(): Labelled | null; pass(hi: AddressKey): void } {
  let at = 0;
  let lo: AddressKey | null = null;
  return {
    rest() {
      const interval = list[at];
      return interval === undefined ? null : { ...interval, lo: lo ?? interval.lo };
    },
    pass(hi) {
      const whole = list[at]?.hi === hi;
      lo = whole ? null : successor(hi);
      if (whole) at += 1;
    },
  };
}

function lesser(a: AddressKey | undefined, b: AddressKey | undefined): AddressKey {
  if (a === undefined || b === undefined) return a ?? b ?? '';
  return compareKeys(a, b) <= 0 ? a : b;
}

/** The lesser end; one of the other family, or before the start, bounds nothing. */
function nearer(least: AddressKey | null, end: AddressKey | null, lo: AddressKey): AddressKey | null {
  if (end === null || end.length !== lo.length || end < lo) return least;
  return least === null || end < least ? end : least;
}
