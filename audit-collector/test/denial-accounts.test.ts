/** The books of a point, kind by kind: observed = stored + gaps + pending, and what is left over is nowhere. */
import t from 'tap';
import { type DenialAccount, denialAccounts, type PointTold } from '../src/denial-accounts.ts';
import type { LedgerSums } from '../src/ledger/sums.ts';

const none: LedgerSums = {
  totals: [],
  unparsed: [],
  losses: [],
  sequences: [],
  spools: [],
  uncovered: [],
  enforced: [],
};
const stored = (point: string, count: number): LedgerSums['totals'] => [
  { point, object: 'a', reason: 'unknown-source', verdict: 'deny', count, lastMs: 0 },
];
const enforced = (point: string, count: number): LedgerSums['enforced'] => [
  { point, object: 'a', reason: 'unknown-source', count },
];

const left = ({ observed, stored, gaps, pending }: DenialAccount): number =>
  observed - stored - [...gaps.values()].reduce((sum, count) => sum + count, 0) - pending;

const books: {
  name: string;
  sums: Partial<LedgerSums>;
  told?: PointTold[];
  expect: { observed: number; stored: number; gaps: Record<string, number>; pending: number; left: number };
}[] = [
  {
    name: 'an NGINX whose lines were all read',
    sums: { totals: stored('p', 7), enforced: enforced('p', 7) },
    expect: { observed: 7, stored: 7, gaps: { missing: 0 }, pending: 0, left: 0 },
  },
  {
    name: 'one whose log has unread bytes: the rest waits there',
    sums: { totals: stored('p', 7), enforced: enforced('p', 9) },
    told: [{ point: 'p', isWaiting: true }],
    expect: { observed: 9, stored: 7, gaps: { missing: 0 }, pending: 2, left: 0 },
  },
  {
    name: 'one whose log was read to its end: two are nowhere',
    sums: { totals: stored('p', 7), enforced: enforced('p', 9) },
    expect: { observed: 9, stored: 7, gaps: { missing: 0 }, pending: 0, left: 2 },
  },
  {
    name: 'lines that could not be written or read are gaps',
    sums: { totals: stored('p', 4), enforced: enforced('p', 9), unparsed: [{ point: 'p', cause: 'torn', count: 2 }] },
    told: [{ point: 'p', unwritten: 3 }],
    expect: { observed: 9, stored: 4, gaps: { missing: 0, unwritten: 3, unparsed: 2 }, pending: 0, left: 0 },
  },
  {
    name: 'a counter that lost its last reading never makes stored more than observed',
    sums: { totals: stored('p', 7), enforced: enforced('p', 5) },
    expect: { observed: 7, stored: 7, gaps: { missing: 0 }, pending: 0, left: 0 },
  },
  {
    name: 'a BIG-IP, by its numbers; what it sent that was no denial is none',
    sums: {
      totals: stored('p', 8),
      sequences: [{ point: 'p', stored: 8, missing: 2, suppressed: 42 }],
      unparsed: [{ point: 'p', cause: 'not-json', count: 5 }],
    },
    expect: { observed: 52, stored: 8, gaps: { missing: 2, suppressed: 42 }, pending: 0, left: 0 },
  },
  {
    name: 'a host: what it counted and has not sent yet waits there',
    sums: {
      totals: stored('p', 3),
      spools: [{ point: 'p', stored: 1, missing: 1, suppressed: 0 }],
      uncovered: [{ point: 'p', cause: 'not-sampled', count: 120 }],
    },
    told: [{ point: 'p', counted: 130, isWaiting: true }],
    expect: { observed: 130, stored: 3, gaps: { missing: 1, 'not-sampled': 120 }, pending: 6, left: 0 },
  },
  {
    name: 'a host that says that nothing waits, and whose counter says more: six are nowhere',
    sums: { totals: stored('p', 4), uncovered: [{ point: 'p', cause: 'not-sampled', count: 120 }] },
    told: [{ point: 'p', counted: 130, isWaiting: false }],
    expect: { observed: 130, stored: 4, gaps: { missing: 0, 'not-sampled': 120 }, pending: 0, left: 6 },
  },
  {
    name: 'a point that nothing is known of has books too',
    sums: {},
    told: [{ point: 'p', counted: null }],
    expect: { observed: 0, stored: 0, gaps: { missing: 0 }, pending: 0, left: 0 },
  },
];

t.test('observed is stored, a gap or pending; what is left over is nowhere', async (t) => {
  for (const { name, sums, told = [], expect } of books) {
    const [account, ...others] = denialAccounts({ ...none, ...sums }, told);
    t.strictSame(others, [], name);
    if (account === undefined) throw new Error(`${name}: there are no books`);
    const { gaps, observed, stored, pending } = account;
    t.strictSame({ observed, stored, gaps: Object.fromEntries(gaps), pending, left: left(account) }, expect, name);
  }
});

t.test('points do not mix, and come by name', async (t) => {
  const sums = { ...none, totals: [...stored('b', 1), ...stored('a', 2)], enforced: [...enforced('a', 2)] };
  const accounts = denialAccounts(sums, [{ point: 'c', counted: 4 }]);
  t.strictSame(
    accounts.map((account) => [account.point, account.observed, account.stored, left(account)]),
    [
      ['a', 2, 2, 0],
      ['b', 1, 1, 0],
      ['c', 4, 0, 4],
    ],
  );
});
