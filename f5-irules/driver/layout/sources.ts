import {
  type AddressKey,
  type CompiledObject,
  compareKeys,
  type Labelled,
  predecessor,
  successor,
} from '@edgeward/policy';
import { type Cidr, cidrsOf, fileName, recordName } from './cidrs.ts';
import { intervalsOf } from './intervals.ts';
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
  for (const { lo, hi, value, trusted } of overlay(intervalsOf(object.sources), intervalsOf(object.trustedProxies))) {
    const data = value === null ? '' : dataOf(value);
    yield { lo, hi, data: trusted ? `trusted ${data}`.trimEnd() : data };
  }
}

interface Overlaid {
  lo: AddressKey;
  hi: AddressKey;
  value: number | null;
  trusted: boolean;
}

/** Both lists are sorted and disjoint; so is the answer, cut wherever one of them begins or ends. */
function* overlay(sources: Iterator<Labelled>, trusted: Iterator<Labelled>): Generator<Overlaid> {
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
function cursor(list: Iterator<Labelled>): { rest(): Labelled | null; pass(hi: AddressKey): void } {
  let rest = nextOf(list);
  return {
    rest: () => rest,
    pass(hi) {
      const lo = rest === null || rest.hi === hi ? null : successor(hi);
      rest = rest === null || lo === null ? nextOf(list) : { ...rest, lo };
    },
  };
}

function nextOf(list: Iterator<Labelled>): Labelled | null {
  const { done, value } = list.next();
  return done === true ? null : value;
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
