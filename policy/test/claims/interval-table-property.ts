/** The interval table against a naive search over the same intervals, as big integers, dense and sparse. */
import assert from 'node:assert/strict';
import type { Labelled } from '@edgeward/policy';
import { columnsOf, lookup, pack, unpack } from '@edgeward/policy';
import fc from 'fast-check';
import type { Search } from './claim.ts';

interface Range {
  first: bigint;
  last: bigint;
  value: number;
}

/** Where the intervals lie and how close; `grain` makes edges fall on the borders of buckets. */
interface Shape {
  digits: 8 | 32;
  at: 'first' | 'middle' | 'last';
  spanBits: number;
  grain: number;
  count: number;
  values: number;
  seed: number;
}

const arbitraryShape = (digits: 8 | 32): fc.Arbitrary<Shape> =>
  fc.record({
    digits: fc.constant(digits),
    at: fc.constantFrom('first' as const, 'middle' as const, 'last' as const),
    spanBits: fc.oneof(fc.constantFrom(8, 12, 16, 17, 20, 24), fc.integer({ min: 6, max: digits * 4 })),
    grain: fc.constantFrom(0, 0, 0, 4, 8, 16),
    count: fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 12 }) },
      { weight: 2, arbitrary: fc.integer({ min: 13, max: 250 }) },
      { weight: 1, arbitrary: fc.integer({ min: 251, max: 900 }) },
    ),
    values: fc.constantFrom(1, 2, 3, 65535),
    seed: fc.integer(),
  });

/** Numbers from a seed (mulberry32): fast-check would take long for a thousand edges and shrink them one by one. */
const numbers = (seed: number): (() => bigint) => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return () => (BigInt(next()) << 96n) | (BigInt(next()) << 64n) | (BigInt(next()) << 32n) | BigInt(next());
};

const rangesOf = (shape: Shape): Range[] => {
  const next = numbers(shape.seed);
  const size = 1n << BigInt(shape.digits * 4);
  const span = 1n << BigInt(Math.min(shape.spanBits, shape.digits * 4));
  const grain = 1n << BigInt(Math.min(shape.grain, shape.spanBits));
  const base = { first: 0n, middle: ((size / 3n) >> 16n) << 16n, last: size - span }[shape.at];
  // The first and the last address of the span are always edges.
  const cuts = new Set<bigint>([base, base + span]);
  for (let i = 1; i < shape.count * 2; i += 1) {
    const cut = base + ((next() % span) / grain) * grain + (next() % 4n === 0n ? 1n : 0n);
    if (cut < base + span) cuts.add(cut);
  }
  const sorted = [...cuts].sort((a, b) => (a < b ? -1 : 1));
  const ranges: Range[] = [];
  sorted.slice(0, -1).forEach((first, i) => {
    const value = Number(next() % BigInt(shape.values));
    const last = (sorted[i + 1] as bigint) - 1n;
    // One in three is a hole; at the borders never, so that the first and last address come up.
    if (next() % 3n !== 0n || i === 0 || i === sorted.length - 2) ranges.push({ first, last, value });
  });
  return ranges.filter(({ last }) => last < size);
};

const keyOf = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');

const labelled = (ranges: Range[], digits: number): Labelled[] =>
  ranges.map(({ first, last, value }) => ({ lo: keyOf(first, digits), hi: keyOf(last, digits), value }));

const joined = (ranges: Range[]): Range[] => {
  const out: Range[] = [];
  ranges.forEach((range) => {
    const last = out.at(-1);
    if (last !== undefined && last.value === range.value && last.last + 1n === range.first) last.last = range.last;
    else out.push({ ...range });
  });
  return out;
};

const naive = (ranges: Range[], address: bigint): number =>
  ranges.find(({ first, last }) => first <= address && address <= last)?.value ?? -1;

/** At most this many intervals of a case are asked for, spread over it. */
const ASKED = 40;

function checkFamily(table: Record<string, string>, ranges: Range[], digits: 8 | 32): void {
  const end = 1n << BigInt(digits * 4);
  const every = Math.max(1, Math.floor(ranges.length / ASKED));
  const asked = ranges.filter((_, i) => i % every === 0 || i >= ranges.length - 2);
  asked.forEach(({ first, last }) => {
    [first - 1n, first, (first + last) / 2n, last, last + 1n].forEach((address) => {
      if (address < 0n || address >= end) return;
      const key = keyOf(address, digits);
      assert.equal(
        lookup((name) => table[name], key),
        naive(ranges, address),
        key,
      );
    });
  });
}

/** Whatever a table was packed after, it has the same bytes, and the lists beside it say what it says. */
function checkColumns(table: Record<string, string>, intervals: Labelled[]): void {
  const fewer = pack(intervals.filter((_, i) => i % 7 !== 3));
  const others = pack(intervals.map(({ lo, hi, value }) => ({ lo, hi, value: (value + 1) % 65535 })));
  for (const after of [fewer, others, table, JSON.parse(JSON.stringify(fewer)) as typeof fewer]) {
    const again = pack(intervals, after);
    assert.equal(JSON.stringify(again), JSON.stringify(table));
    const { names, values } = columnsOf(again);
    assert.equal(names.length, Object.keys(table).length);
    assert.deepEqual(Object.fromEntries(names.map((name, i) => [name, values[i]])), table);
  }
}

export function checkIntervalTables(search: Search): void {
  fc.assert(
    fc.property(arbitraryShape(8), arbitraryShape(32), (four, six) => {
      const ranges4 = rangesOf(four);
      const ranges6 = rangesOf(six);
      const table = pack([...labelled(ranges4, 8), ...labelled(ranges6, 32)]);
      checkFamily(table, ranges4, 8);
      checkFamily(table, ranges6, 32);
      checkColumns(table, [...labelled(ranges4, 8), ...labelled(ranges6, 32)]);
      assert.deepEqual(unpack(table), [...labelled(joined(ranges4), 8), ...labelled(joined(ranges6), 32)]);
      Object.entries(table).forEach(([name, value]) => {
        // 2048, and a branch mark: the value that a reader copies stays small.
        if (!name.startsWith('*')) assert.ok(value.length <= 2049 || value.startsWith('+'), name);
      });
    }),
    search,
  );
}
