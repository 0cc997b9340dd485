/**
 * The interval table by hand-written cases: its exact bytes, because NGINX keeps them and other versions read them, and
 * what `lookup` finds at every edge. The random cases are in `interval-table-property`.
 */
import assert from 'node:assert/strict';
import type { IntervalTable, Labelled } from '@edgeward/policy';
import { lookup, pack, unpack } from '@edgeward/policy';
import { CLASS_LIMIT } from '../../src/interval-table.ts';
import type { Claim } from './claim.ts';

const FIRST_6 = '0'.repeat(32);
const LAST_6 = 'f'.repeat(32);

const find = (table: IntervalTable, key: string): number => lookup((name) => table[name], key);
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Every second address from `base` on: nothing can be joined, so a bucket gets one record for each. */
const alternating = (base: string, count: number): Labelled[] =>
  Array.from({ length: count }, (_, i) => {
    const key = base + hex(i * 2, (base.length < 8 ? 8 : 32) - base.length);
    return { lo: key, hi: key, value: i % 2 };
  });

const layouts: { name: string; intervals: Labelled[]; table: IntervalTable }[] = [
  { name: 'nothing is packed into nothing', intervals: [], table: {} },
  {
    name: 'an IPv4 interval stands in the bucket of its /16',
    intervals: [{ lo: 'c0000200', hi: 'c00002ff', value: 1 }],
    table: { c000: '020002ff0001' },
  },
  {
    name: 'whole /16 buckets stand at the top as one record',
    intervals: [{ lo: '0a000000', hi: '0affffff', value: 0 }],
    table: { '*4': '0a000aff0000' },
  },
  {
    name: 'exactly one whole bucket is written out',
    intervals: [{ lo: '0a000000', hi: '0a00ffff', value: 3 }],
    table: { '0a00': '0000ffff0003' },
  },
  {
    name: 'an interval over several buckets is cut into its partial and whole ones',
    intervals: [{ lo: '0a00fffe', hi: '0a030001', value: 2 }],
    table: { '0a00': 'fffeffff0002', '0a01': '0000ffff0002', '0a02': '0000ffff0002', '0a03': '000000010002' },
  },
  {
    name: 'an interval that leaves one bucket for the next has no whole one between',
    intervals: [{ lo: '0a00ffff', hi: '0a010000', value: 2 }],
    table: { '0a00': 'ffffffff0002', '0a01': '000000000002' },
  },
  {
    name: 'a whole bucket and the beginning of the next',
    intervals: [{ lo: '0a000000', hi: '0a010000', value: 2 }],
    table: { '0a00': '0000ffff0002', '0a01': '000000000002' },
  },
  {
    name: 'the end of a bucket and the next one whole',
    intervals: [{ lo: '0a00ffff', hi: '0a01ffff', value: 2 }],
    table: { '0a00': 'ffffffff0002', '0a01': '0000ffff0002' },
  },
  {
    name: 'eight whole buckets are written out, the last of all among them',
    intervals: [{ lo: 'fff80000', hi: 'ffffffff', value: 5 }],
    table: Object.fromEntries(
      ['fff8', 'fff9', 'fffa', 'fffb', 'fffc', 'fffd', 'fffe', 'ffff'].map((name) => [name, '0000ffff0005']),
    ),
  },
  {
    name: 'nine whole buckets stand at the top, between what is left of the first and the last',
    intervals: [{ lo: '0a000001', hi: '0a0a0000', value: 5 }],
    table: { '0a00': '0001ffff0005', '*4': '0a010a090005', '0a0a': '000000000005' },
  },
  {
    name: 'every IPv4 address is one record',
    intervals: [{ lo: '00000000', hi: 'ffffffff', value: 7 }],
    table: { '*4': '0000ffff0007' },
  },
  {
    name: 'all but the first and the last IPv4 address',
    intervals: [{ lo: '00000001', hi: 'fffffffe', value: 7 }],
    table: { '0000': '0001ffff0007', '*4': '0001fffe0007', ffff: '0000fffe0007' },
  },
  {
    name: 'every IPv6 address is one record',
    intervals: [{ lo: FIRST_6, hi: LAST_6, value: 7 }],
    table: { '*6': '00000000ffffffff0007' },
  },
  {
    name: 'an IPv6 interval stands in the bucket of its /32',
    intervals: [{ lo: `20010db8${'0'.repeat(24)}`, hi: `20010db8${'0'.repeat(23)}f`, value: 65534 }],
    table: { '20010db8': `${'0'.repeat(24)}${'0'.repeat(23)}ffffe` },
  },
  {
    name: 'the two families stand beside each other',
    intervals: [
      { lo: '00000000', hi: '00000000', value: 1 },
      { lo: 'ffffffff', hi: 'ffffffff', value: 291 },
      { lo: FIRST_6, hi: FIRST_6, value: 1 },
      { lo: LAST_6, hi: LAST_6, value: 4660 },
    ],
    table: {
      '0000': '000000000001',
      ffff: 'ffffffff0123',
      '00000000': `${'0'.repeat(48)}0001`,
      ffffffff: `${'f'.repeat(48)}1234`,
    },
  },
];

const layoutClaims = layouts.map(
  ({ name, intervals, table }): Claim => ({
    name,
    check: () => {
      assert.deepEqual(pack(intervals), table);
      assert.deepEqual(unpack(table), intervals, 'and comes back');
    },
  }),
);

/** An IPv4 address is found by lookup or not, at each edge of what a table holds. */
const edges: { name: string; intervals: Labelled[]; found: [string, number][] }[] = [
  {
    name: 'an empty table holds no address',
    intervals: [],
    found: [
      ['00000000', -1],
      [LAST_6, -1],
    ],
  },
  {
    name: 'an interval holds its first and last address and neither neighbour',
    intervals: [{ lo: 'c0000210', hi: 'c00002ef', value: 5 }],
    found: [
      ['c000020f', -1],
      ['c0000210', 5],
      ['c0000280', 5],
      ['c00002ef', 5],
      ['c00002f0', -1],
      ['c0010210', -1],
    ],
  },
  {
    name: 'neighbours with different numbers are told apart',
    intervals: [
      { lo: '0a000000', hi: '0a00007f', value: 0 },
      { lo: '0a000080', hi: '0a0000ff', value: 1 },
      { lo: '0a000101', hi: '0a000101', value: 2 },
    ],
    found: [
      ['0a000000', 0],
      ['0a00007f', 0],
      ['0a000080', 1],
      ['0a0000ff', 1],
      ['0a000100', -1],
      ['0a000101', 2],
    ],
  },
  {
    name: 'whole buckets are found from the bucket that holds nothing of its own',
    intervals: [
      { lo: '0a010000', hi: '0a02ffff', value: 4 },
      { lo: '0a030000', hi: '0a030000', value: 6 },
    ],
    found: [
      ['0a00ffff', -1],
      ['0a010000', 4],
      ['0a02ffff', 4],
      ['0a030000', 6],
      ['0a030001', -1],
      ['0a040000', -1],
    ],
  },
  {
    name: 'the families do not meet: ::/0 holds no IPv4, and 0.0.0.0/0 no IPv6',
    intervals: [{ lo: FIRST_6, hi: LAST_6, value: 1 }],
    found: [
      ['00000000', -1],
      ['ffffffff', -1],
      [FIRST_6, 1],
      [LAST_6, 1],
    ],
  },
];

const edgeClaims = edges.map(
  ({ name, intervals, found }): Claim => ({
    name,
    check: () => {
      const table = pack(intervals);
      found.forEach(([key, value]) => {
        assert.equal(find(table, key), value, key);
      });
    },
  }),
);

const namesByLength = (table: IntervalTable): Record<string, number> => {
  const counts: Record<string, number> = {};
  Object.keys(table).forEach((name) => {
    counts[name.length] = (counts[name.length] ?? 0) + 1;
  });
  return counts;
};

const branchClaims: Claim[] = [
  {
    name: 'an IPv4 bucket of 170 records is one value, with one more it branches by /24',
    check: () => {
      const leaf = pack(alternating('0a00', 170));
      assert.deepEqual(namesByLength(leaf), { 4: 1 });
      assert.equal(leaf['0a00']?.length, 2040);
      const branch = pack(alternating('0a00', 171));
      assert.equal(branch['0a00'], '+');
      assert.deepEqual(namesByLength(branch), { 4: 1, 6: 2 });
      assert.equal(branch['0a0000']?.slice(0, 16), '0000000002020001');
      assert.equal(branch['0a0001']?.length, 43 * 8);
    },
  },
  {
    name: 'a whole /24 in a branching bucket stands in the bucket itself',
    check: () => {
      const intervals = [...alternating('0a00', 171), { lo: '0a00c000', hi: '0a00c1ff', value: 9 }];
      const table = pack(intervals);
      assert.equal(table['0a00'], '+c0c10009');
      const found: [string, number][] = [
        ['0a00bfff', -1],
        ['0a00c000', 9],
        ['0a00c1ff', 9],
        ['0a00c200', -1],
        ['0a000154', 0],
        ['0a000155', -1],
        ['0a000156', -1],
        ['0a010000', -1],
      ];
      found.forEach(([key, value]) => {
        assert.equal(find(table, key), value, key);
      });
      assert.deepEqual(unpack(table), intervals);
    },
  },
  {
    name: 'a dense IPv6 subnet branches at every level down to /120, and no further',
    check: () => {
      const base = '20010db800010002000300040005';
      const intervals = alternating(base, 60).concat(alternating(`${base}aa`, 120));
      const table = pack(intervals);
      assert.deepEqual(namesByLength(table), { 8: 1, 12: 1, 16: 1, 20: 1, 24: 1, 28: 1, 30: 2 });
      assert.equal(table[base], '+');
      intervals.forEach(({ lo, value }) => {
        assert.equal(find(table, lo), value, lo);
      });
      assert.equal(find(table, `${base}0001`), -1);
      assert.equal(find(table, `${base}ab00`), -1);
      assert.deepEqual(unpack(table), intervals);
    },
  },
  ...[
    { digits: 8, most: 39 },
    { digits: 12, most: 46 },
    { digits: 16, most: 56 },
    { digits: 20, most: 73 },
    { digits: 24, most: 102 },
    { digits: 28, most: 170 },
  ].map(
    ({ digits, most }, level, levels): Claim => ({
      name: `an IPv6 bucket of ${digits} digits holds ${most} records as one value`,
      check: () => {
        const base = '20010db8000100020003000400050006'.slice(0, digits);
        // What makes the buckets above branch, without a share in this one.
        const above = levels.slice(0, level).map((it) => it.digits);
        const crowd = above.flatMap((length) => alternating(`${base.slice(0, length)}0000`, 171));
        const count = (records: number): number | undefined => {
          const own = alternating(`${base}f`, records);
          return pack([...crowd, ...own].sort((a, b) => (a.lo < b.lo ? -1 : 1)))[base]?.length;
        };
        const width = (32 - digits) * 2 + 4;
        assert.equal(count(most), most * width);
        assert.equal(count(most + 1), 1, 'with one more it branches');
      },
    }),
  ),
  {
    name: 'unpacking joins what was cut, and only neighbours with the same number',
    check: () => {
      const pieces = [
        { lo: '0a000000', hi: '0a0000ff', value: 1 },
        { lo: '0a000100', hi: '0a0001ff', value: 1 },
        { lo: '0a000200', hi: '0a0002ff', value: 2 },
        { lo: '0a000301', hi: '0a0003ff', value: 2 },
        { lo: 'ffffffff', hi: 'ffffffff', value: 2 },
        { lo: FIRST_6, hi: FIRST_6, value: 2 },
      ];
      assert.deepEqual(unpack(pack(pieces)), [{ lo: '0a000000', hi: '0a0001ff', value: 1 }, ...pieces.slice(2)]);
    },
  },
  {
    name: 'a search reads one value a level, and a table that branches without an end holds nothing',
    check: () => {
      [
        { key: '0a000001', lengths: [4, 6] },
        { key: LAST_6, lengths: [8, 12, 16, 20, 24, 28, 30] },
      ].forEach(({ key, lengths }) => {
        const asked: number[] = [];
        const endless = (name: string): string => {
          asked.push(name.length);
          return '+';
        };
        assert.equal(lookup(endless, key), -1);
        assert.deepEqual(asked, lengths);
      });
    },
  },
  {
    name: 'every number below the limit fits a record',
    check: () => {
      assert.equal(CLASS_LIMIT, 65535);
      const table = pack([{ lo: '0a000000', hi: '0a000000', value: CLASS_LIMIT - 1 }]);
      assert.equal(find(table, '0a000000'), 65534);
    },
  },
];

export const intervalTableClaims: Claim[] = [...layoutClaims, ...edgeClaims, ...branchClaims];
