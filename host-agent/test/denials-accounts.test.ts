/** Totals: what was counted is sampled, or part of a gap, or still under way. Never twice, never nowhere. */
import t from 'tap';
import type { DenyCounter } from '../driver/index.ts';
import {
  type Accounts,
  type ClosingWindow,
  closeWindow,
  type Gap,
  isSettled,
  newAccounts,
} from '../src/denials/accounts.ts';
import { countedSince } from '../src/denials/counter-baseline.ts';
import { createRetired } from '../src/denials/retired-counters.ts';

const LAG_MS = 10;
const RUNS = 300 * Number(process.env.EDGEWARD_RUNS ?? 1);
const SEED = Number(process.env.EDGEWARD_SEED ?? 5);

function windowOf(changes: Partial<ClosingWindow>): ClosingWindow {
  return { atMs: 0, denied: 0, sampled: 0, unreadable: 0, notJudged: 0, netlink: 0, counterLost: false, ...changes };
}

function closeAll(windows: Partial<ClosingWindow>[]): { accounts: Accounts; gaps: Gap[] } {
  let accounts = newAccounts(0);
  const gaps: Gap[] = [];
  for (const [index, window] of windows.entries()) {
    const closed = closeWindow(accounts, windowOf({ atMs: (index + 1) * LAG_MS, ...window }), LAG_MS);
    accounts = closed.accounts;
    gaps.push(...closed.gaps);
  }
  return { accounts, gaps };
}

t.test('what no sample tells of is a gap a window later, with its cause', (t) => {
  const cases: [string, Partial<ClosingWindow>[], [string, number, number, number][]][] = [
    ['each has a sample', [{ denied: 3, sampled: 3 }, {}], []],
    ['a sample of the next window', [{ denied: 3, sampled: 1 }, { sampled: 2 }, {}], []],
    ['none has', [{ denied: 3 }, {}], [['not-sampled', 3, 0, 10]]],
    ['some have', [{}, { denied: 9, sampled: 2 }, {}], [['not-sampled', 7, 10, 20]]],
    [
      'whatever is known of a cause',
      [{ denied: 10, sampled: 2, unreadable: 1, notJudged: 2, netlink: 3 }, {}],
      [
        ['unreadable', 1, 0, 10],
        ['not-judged', 2, 0, 10],
        ['netlink', 3, 0, 10],
        ['not-sampled', 2, 0, 10],
      ],
    ],
    ['lines that nobody counted are no denials', [{ unreadable: 50 }, {}, {}], []],
    ['and take no more than there are', [{ denied: 2, unreadable: 50 }, {}], [['unreadable', 2, 0, 10]]],
    [
      'a late sample makes a later gap smaller',
      [{ denied: 5 }, {}, { sampled: 2 }, { denied: 4 }, {}],
      [
        ['not-sampled', 5, 0, 10],
        ['not-sampled', 2, 30, 40],
      ],
    ],
  ];
  for (const [name, windows, expected] of cases) {
    const { gaps } = closeAll(windows);
    t.strictSame(
      gaps.map(({ cause, count, fromMs, toMs }) => [cause, count, fromMs, toMs]),
      expected,
      name,
    );
  }
  t.end();
});

t.test('a sample has its time to come, however often windows are closed, and whatever the clock does', (t) => {
  const cases: [string, Partial<ClosingWindow>[]][] = [
    [
      'closed at once',
      [{ atMs: 100, denied: 5 }, { atMs: 100 }, { atMs: 101 }, { atMs: 105, sampled: 5 }, { atMs: 120 }],
    ],
    [
      'closed without end',
      [
        { atMs: 100, denied: 5 },
        ...Array.from({ length: 90 }, (_, n) => ({ atMs: 100 + n / 10 })),
        { atMs: 109.5, sampled: 5 },
        { atMs: 200 },
      ],
    ],
    ['a clock that is set back', [{ atMs: 5_000, denied: 5 }, { atMs: 100 }, { atMs: 109, sampled: 5 }, { atMs: 200 }]],
  ];
  for (const [name, windows] of cases) t.strictSame(closeAll(windows).gaps, [], name);
  const late = closeAll([{ atMs: 5_000, denied: 5 }, { atMs: 100 }, { atMs: 109, sampled: 1 }, { atMs: 110 }]);
  t.match(late.gaps, [{ cause: 'not-sampled', count: 4 }], 'and no more than that');
  const many = closeAll([
    { atMs: 100, denied: 5 },
    ...Array.from({ length: 5_000 }, (_, n) => ({ atMs: 100 + n / 100, denied: 1 })),
  ]);
  t.ok(
    many.accounts.notSampled > 1_000 && many.accounts.readings.length < 50,
    'somebody who never stops is told of too',
  );
  t.end();
});

t.test('what a counter did not tell before it went is known by its samples', (t) => {
  const { accounts } = closeAll([{ denied: 2, sampled: 2 }, { denied: 0, sampled: 3, counterLost: true }, {}]);
  t.match(accounts, { denied: 5, sampled: 5, notSampled: 0 });
  t.end();
});

t.test(`totals add up whatever comes when (EDGEWARD_SEED=${SEED})`, (t) => {
  let state = SEED;
  const below = (most: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  for (let run = 0; run < RUNS; run += 1) {
    const windows: Partial<ClosingWindow>[] = [];
    let [onTheWay, denied] = [0, 0];
    for (let window = 0; window < 12; window += 1) {
      const came = below(3) === 0 ? below(500) : 0;
      // Of what was sampled, all arrives within a window.
      const arriving = onTheWay;
      onTheWay = below(came + 1);
      const now = below(onTheWay + 1);
      onTheWay -= now;
      denied += came;
      const bad = Math.min(below(3), arriving + now);
      windows.push({
        denied: came,
        sampled: arriving + now - bad,
        unreadable: bad,
        netlink: below(4) === 0 ? below(5) : 0,
      });
    }
    windows.push({ sampled: onTheWay }, {}, {});
    const { accounts, gaps } = closeAll(windows);
    const inGaps = gaps.reduce((total, { count }) => total + count, 0);
    if (
      accounts.denied !== denied ||
      accounts.sampled + inGaps !== denied ||
      accounts.notSampled !== inGaps ||
      !isSettled(accounts)
    )
      t.fail(`run ${run}: ${JSON.stringify({ accounts, inGaps, denied })}`);
  }
  t.pass(`${RUNS} runs`);
  t.end();
});

t.test('the last of a counter that goes is counted once, whether it is still there or not', (t) => {
  const counter = (packets: number): DenyCounter => ({
    family: 'inet',
    hook: 'input',
    verdict: 'deny',
    generation: 1,
    packets,
  });
  const looks: [string, DenyCounter[], number | null, number, boolean][] = [
    ['as it stood', [counter(5)], null, 5, false],
    ['told, and still there', [counter(7)], 9, 4, false],
    ['told, and still there', [counter(9)], 9, 0, false],
    ['told, and gone', [], 9, 0, false],
    ['nothing more', [], null, 0, false],
  ];
  let baseline = {};
  for (const [name, counters, last, added, lost] of looks) {
    const counted = countedSince(baseline, counters, last === null ? [] : [['inet input 1', last]]);
    t.strictSame([counted.added, counted.lost], [added, lost], name);
    baseline = counted.next;
  }
  t.end();
});

t.test('counters go on over generations, boots and whoever writes our rules anew', (t) => {
  const counter = (generation: number, packets: number): DenyCounter => ({
    family: 'inet',
    hook: 'input',
    verdict: 'deny',
    generation,
    packets,
  });
  const looks: [string, DenyCounter[], number, boolean][] = [
    ['at first all that there is', [counter(1, 5)], 5, false],
    ['then what was added', [counter(1, 9)], 4, false],
    ['another generation begins at 0', [counter(2, 3)], 3, true],
    ['both at once', [counter(2, 4), counter(3, 1)], 2, false],
    ['one that began again', [counter(2, 1), counter(3, 1)], 1, true],
    ['none', [], 0, true],
    ['and again', [counter(2, 1)], 1, false],
  ];
  let baseline = {};
  for (const [name, counters, added, lost] of looks) {
    const counted = countedSince(baseline, counters);
    t.strictSame([counted.added, counted.lost], [added, lost], name);
    baseline = counted.next;
  }
  t.end();
});

t.test('counters that went are known until a window has accounted for them', (t) => {
  const counter = (generation: number, packets: number): DenyCounter => ({
    ...{ family: 'inet', hook: 'input', generation, verdict: 'deny', packets },
  });
  const retired = createRetired();
  retired.add([counter(1, 7)]);
  t.equal(retired.countedSince({}, []).added, 7);
  const { added, forget } = retired.countedSince({}, []);
  t.equal(added, 7, 'also where the window before came to nothing');
  retired.add([counter(2, 3)]);
  forget();
  const later = retired.countedSince({}, [counter(3, 1)]);
  t.equal(later.added, 3 + 1, 'what was told meanwhile is not forgotten');
  later.forget();
  t.equal(retired.countedSince(later.next, [counter(3, 1)]).added, 0);
  t.end();
});
