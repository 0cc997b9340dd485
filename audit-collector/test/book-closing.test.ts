/** When the books of a point are settled: by readings of its counter, and looks at what is stored, in the order of a day. */
import t from 'tap';
import { type BookClosing, createBookClosing, type ToSettle } from '../src/book-closing.ts';

/** Seconds, then what was counted: or what is here, and up to when everything was read (now unless told). */
type Step =
  | [
      atS: number,
      'read',
      counted: number,
      here: number,
      expect?: Partial<ToSettle> | null,
      epoch?: string,
      waiting?: number,
    ]
  | [atS: number, 'look', here: number, expect?: Partial<ToSettle> | null, upToS?: number];

const days: { name: string; steps: Step[] }[] = [
  {
    name: 'nothing is missing',
    steps: [
      [0, 'read', 5, 5],
      [0, 'look', 5],
      [2, 'read', 6, 5],
      [2, 'look', 6],
      [14, 'read', 6, 6],
      [14, 'look', 6],
    ],
  },
  {
    name: 'two are missing: a gap when that has stood for ten seconds, and not before',
    steps: [
      [0, 'read', 5, 3],
      [0, 'look', 3],
      [2, 'read', 5, 3],
      [2, 'look', 3],
      [9, 'read', 5, 3],
      [9, 'look', 3],
      [10, 'read', 5, 3],
      [10, 'look', 3, { left: 2, epoch: 'a', seenMs: 0 }],
    ],
  },
  {
    name: 'a line that comes within ten seconds is in no gap',
    steps: [
      [0, 'read', 5, 3],
      [0, 'look', 3],
      [11, 'read', 5, 4],
      [11, 'look', 4, { left: 1 }],
    ],
  },
  {
    name: 'while the log was not read up to the reading, nothing is said of it',
    steps: [
      [2, 'read', 5, 3],
      [3, 'look', 3, null, 1],
      [20, 'read', 9, 3],
      [21, 'look', 5, null, 19],
      [40, 'read', 9, 5],
      [40, 'look', 9, null, 19],
      [41, 'look', 9],
    ],
  },
  {
    name: 'what is folded at the point waits: it is no gap before its line is due, and the line makes none of something else',
    steps: [
      [0, 'read', 5000, 20, null, 'a', 4980],
      [0, 'look', 20],
      [12, 'read', 9000, 20, null, 'a', 8980],
      [12, 'look', 20],
      [24, 'read', 9000, 20, null, 'a', 4000],
      [24, 'look', 5000],
      [36, 'read', 9003, 9000, null, 'a', 0],
      [36, 'look', 9000],
      [48, 'read', 9003, 9000],
      [48, 'look', 9000, { left: 3, seenMs: 36_000 }],
    ],
  },
  {
    name: 'what was folded when the point died is missing in its next life, after ten seconds',
    steps: [
      [0, 'read', 5000, 20, null, 'a', 4980],
      [0, 'look', 20],
      [2, 'read', 5001, 20, null, 'b', 0],
      [2, 'look', 21],
      [14, 'read', 5001, 21, null, 'b', 0],
      [14, 'look', 21, { epoch: 'b', left: 4980 }],
    ],
  },
  {
    name: 'what goes on meanwhile hides some, and never makes more of them; a moment of quiet tells all',
    steps: [
      [0, 'read', 10, 7],
      [0, 'look', 8],
      [2, 'read', 30, 20],
      [2, 'look', 35],
      [4, 'read', 40, 37],
      [4, 'look', 37],
      [12, 'read', 60, 50],
      [12, 'look', 59, { left: 1 }],
    ],
  },
  {
    name: 'more here than were counted was late, or never counted: the ledger knows which',
    steps: [
      [0, 'read', 5, 5],
      [2, 'read', 5, 7],
      [4, 'read', 5, 7, { left: -2, epoch: 'a' }],
    ],
  },
  {
    name: 'lines of after the reading are not more than were counted',
    steps: [
      [0, 'read', 5, 5],
      [0, 'look', 9],
      [2, 'read', 9, 12],
      [4, 'read', 12, 12],
    ],
  },
  {
    name: 'of a life that is over nothing is late: what was seen twice is a gap at once',
    steps: [
      [0, 'read', 5, 3],
      [0, 'look', 3],
      [2, 'read', 5, 3],
      [2, 'look', 4],
      [4, 'read', 6, 4, { left: 1, epoch: 'a' }, 'b'],
    ],
  },
  {
    name: 'what was seen once in a life that is over may have come',
    steps: [
      [0, 'read', 5, 3],
      [0, 'look', 3],
      [2, 'read', 6, 4, null, 'b'],
      [2, 'look', 4],
    ],
  },
];

function takes(closing: BookClosing, step: Step): ToSettle | null {
  const atMs = step[0] * 1000;
  if (step[1] === 'read')
    return closing.read({ epoch: step[5] ?? 'a', counted: step[2], waiting: step[6] ?? 0, here: step[3], atMs });
  return closing.look({ here: () => step[2], readUpToMs: (step[4] ?? step[0]) * 1000, atMs });
}

t.test('a point that counts more than is here, or less', async (t) => {
  for (const { name, steps } of days) {
    const closing = createBookClosing();
    for (const step of steps) {
      const found = takes(closing, step);
      const expect = (step[1] === 'read' ? step[4] : step[3]) ?? null;
      if (expect === null) t.equal(found, null, `${name}: ${step.join(' ')}`);
      else t.match(found, expect, `${name}: ${step.slice(0, 3).join(' ')}`);
    }
  }
});

t.test('after it was settled, what was seen before says nothing; when nothing was missing is known', async (t) => {
  const closing = createBookClosing();
  const look = (atMs: number, counted: number, here: number): ToSettle | null => {
    closing.read({ epoch: 'a', counted, waiting: 0, here, atMs });
    return closing.look({ here: () => here, readUpToMs: atMs, atMs });
  };
  look(0, 3, 3);
  t.equal(closing.closedMs(), 0);
  look(1_000, 5, 3);
  t.match(look(20_000, 5, 3), { left: 2, seenMs: 1_000 });
  closing.settled();
  t.equal(look(40_000, 5, 3), null, 'reckoned anew');
  t.equal(closing.closedMs(), 0);
});
