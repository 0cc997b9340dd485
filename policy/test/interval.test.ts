/** Sets of addresses as intervals, against sets that list every address of a small universe. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Interval } from '../src/address.ts';
import { contains, subtract, union } from '../src/interval.ts';
import { search } from './runs.ts';

/** Universes of 64 addresses: at the beginning, across a carry and at the end of both families. */
const UNIVERSES = [
  { digits: 8, from: 0n },
  { digits: 8, from: 0x0a00ffe0n },
  { digits: 8, from: 2n ** 32n - 64n },
  { digits: 32, from: 0n },
  { digits: 32, from: (0x20010db8n << 96n) + 0xffffffe0n },
  { digits: 32, from: 2n ** 128n - 64n },
];

const keyOf = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');
const EVERY_KEY = UNIVERSES.flatMap(({ digits, from }) =>
  Array.from({ length: 64 }, (_, i) => keyOf(from + BigInt(i), digits)),
);

const arbitraryIntervals = fc.array(
  fc
    .tuple(fc.constantFrom(...UNIVERSES), fc.nat(63), fc.oneof(fc.constant(0), fc.nat(12), fc.nat(63)))
    .map(([{ digits, from }, start, length]): Interval => {
      const last = Math.min(start + length, 63);
      return { lo: keyOf(from + BigInt(start), digits), hi: keyOf(from + BigInt(last), digits) };
    }),
  { maxLength: 12 },
);

const listed = (intervals: Interval[]): string[] =>
  EVERY_KEY.filter((key) => intervals.some(({ lo, hi }) => lo.length === key.length && lo <= key && key <= hi));

/** Sorted, disjoint, not even touching: what every set of addresses in the core is. */
const isNormal = (set: Interval[]): boolean => {
  const sizes = set.map(({ lo, hi }) => [BigInt(`0x${lo}`), BigInt(`0x${hi}`), lo.length] as const);
  return sizes.every(([lo, hi, digits], i) => {
    const next = sizes[i + 1];
    return lo <= hi && (next === undefined || digits < next[2] || (digits === next[2] && hi + 1n < next[0]));
  });
};

t.test('a union holds what any part holds, sorted and joined', async (t) => {
  fc.assert(
    fc.property(arbitraryIntervals, (intervals) => {
      const before = structuredClone(intervals);
      const set = union(intervals);
      assert.deepEqual(intervals, before, 'what was given is left as it was');
      assert.deepEqual(listed(set), listed(intervals));
      assert.ok(isNormal(set), JSON.stringify(set));
    }),
    search(t, 1000),
  );
});

t.test('a difference holds what one set holds and the other does not', async (t) => {
  fc.assert(
    fc.property(arbitraryIntervals, arbitraryIntervals, (some, others) => {
      const from = union(some);
      const taken = union(others);
      const left = subtract(from, taken);
      const gone = new Set(listed(taken));
      assert.deepEqual(
        listed(left),
        listed(from).filter((key) => !gone.has(key)),
      );
      assert.ok(isNormal(left), JSON.stringify(left));
    }),
    search(t, 1000),
  );
});

t.test('a set contains exactly the addresses that it lists', async (t) => {
  fc.assert(
    fc.property(arbitraryIntervals, (intervals) => {
      const set = union(intervals);
      assert.deepEqual(
        EVERY_KEY.filter((key) => contains(set, key)),
        listed(set),
      );
    }),
    search(t, 500),
  );
});

t.test('the families never meet: the last IPv4 address and the first of IPv6 are no neighbours', async (t) => {
  const all4 = { lo: '00000000', hi: 'ffffffff' };
  const all6 = { lo: '0'.repeat(32), hi: 'f'.repeat(32) };
  t.strictSame(union([all6, all4]), [all4, all6]);
  t.strictSame(subtract([all4, all6], [all6]), [all4]);
  t.strictSame(subtract([all4, all6], [all4]), [all6]);
  t.strictSame(subtract([all4], [all6]), [all4]);
});
