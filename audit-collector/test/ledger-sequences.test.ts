import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import t, { type Test } from 'tap';
import { type DenyEvent, denyEvent } from '../src/deny-event.ts';
import { type Ledger, type NumberedDenial, type NumberedResult, openLedger } from '../src/ledger.ts';
import { migrations } from '../src/ledger-schema.ts';
import { denyRecord, labels, type Numbering, search, t0 } from './kit.ts';

const eventOf = (ref: string): DenyEvent => denyEvent(denyRecord({ ref }), 'big-1', labels);
const denial = (numbering: Numbering, readable = true): NumberedDenial => {
  const { tmm = 0, epoch = 'e1', seq, suppressed = 0 } = numbering;
  const number = { tmm: Number(tmm), epoch, seq: Number(seq), suppressed: Number(suppressed) };
  return { number, event: readable ? eventOf(`${tmm}/${epoch}/${seq}`) : null };
};
const storeIn = (ledger: Ledger, denials: NumberedDenial[], storedMs = t0, point = 'big-1'): NumberedResult =>
  ledger.storeNumbered({ point, log: 'syslog', storedMs, denials, unparsed: [] });
const rangesIn = (ledger: Ledger): string[] =>
  ledger
    .gaps('big-1')
    .map(({ tmm, epoch, first, last }) => `${tmm}/${epoch}/${first}-${last}`)
    .toSorted();

function setUp(t: Test): { file: string; ledger: Ledger } {
  const file = join(t.testdir({}), 'ledger.db');
  const ledger = openLedger({ file });
  t.teardown(() => ledger.close());
  return { file, ledger };
}

t.test('a hole is a gap, a late one fills it, a repeated one is left out, also by another process', async (t) => {
  type Step = [name: string, numbers: Numbering[], result: object, gaps: string[]];
  const seq = (...numbers: number[]): Numbering[] => numbers.map((seq) => ({ seq }));
  const steps: Step[] = [
    ['in order', seq(1, 2, 3), { missing: 0, late: 0, repeated: 0 }, []],
    ['overtaken within a batch', seq(6, 4, 5), { missing: 0, late: 0, repeated: 0 }, []],
    ['a hole', seq(10), { missing: 3, late: 0, repeated: 0 }, ['0/e1/7-9']],
    ['its middle comes late', seq(8), { missing: 0, late: 1, repeated: 0 }, ['0/e1/7-7', '0/e1/9-9']],
    ['and once more', seq(8), { missing: 0, late: 0, repeated: 1 }, ['0/e1/7-7', '0/e1/9-9']],
    ['its ends come late', seq(9, 7, 7), { missing: 0, late: 2, repeated: 1 }, []],
    ['all of it again', seq(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), { missing: 0, late: 0, repeated: 10 }, []],
    ['twice in a batch', seq(11, 11), { missing: 0, late: 0, repeated: 1 }, []],
    ['another TMM', [{ tmm: 1, seq: 2 }], { missing: 1, late: 0, repeated: 0 }, ['1/e1/1-1']],
    ['another life', [{ epoch: 'e2', seq: 1 }], { missing: 0, late: 0, repeated: 0 }, ['1/e1/1-1']],
    [
      'a number as large as they come',
      [{ epoch: 'e2', seq: 1e13 }],
      { missing: 1e13 - 2 },
      ['0/e2/2-9999999999999', '1/e1/1-1'],
    ],
    ['in that gap', [{ epoch: 'e2', seq: 5 }], { late: 1 }, ['0/e2/2-4', '0/e2/6-9999999999999', '1/e1/1-1']],
  ];
  const { file, ledger } = setUp(t);
  for (const [name, numbers, result, gaps] of steps) {
    const other = openLedger({ file });
    const taken = storeIn(
      other,
      numbers.map((number) => denial(number)),
    );
    other.close();
    t.match(taken, result, name);
    t.strictSame(rangesIn(ledger), gaps, name);
    const refs = ledger.denials({}).map(({ event }) => event.ref);
    t.equal(new Set(refs).size, refs.length, `${name}: nothing is stored twice`);
    t.equal(ledger.sequences()[0]?.stored, refs.length, `${name}: stored is what is stored`);
  }
});

t.test('a number whose record could not be read is missing, until it comes again', async (t) => {
  const { ledger } = setUp(t);
  t.match(storeIn(ledger, [denial({ seq: 1 }), denial({ seq: 4 }, false)]), { missing: 3, stored: { length: 1 } });
  t.match(storeIn(ledger, [denial({ seq: 5 }, false), denial({ seq: 1 }, false)]), { missing: 1, repeated: 0 });
  t.strictSame(rangesIn(ledger), ['0/e1/2-5'], 'one range, not one a number');
  t.match(storeIn(ledger, [denial({ seq: 4 }, false), denial({ seq: 4 })]), { missing: 0, late: 1 });
  t.match(ledger.sequences(), [{ point: 'big-1', stored: 2, missing: 3, suppressed: 0 }]);
});

t.test('the suppressed are a running total, whose growth counts once', async (t) => {
  const { ledger } = setUp(t);
  const steps: [numbering: Numbering, grown: number, total: number][] = [
    [{ seq: 1, suppressed: 5 }, 5, 5],
    [{ seq: 3, suppressed: 9 }, 4, 9],
    [{ seq: 2, suppressed: 5 }, 0, 9],
    [{ seq: 3, suppressed: 9 }, 0, 9],
    [{ tmm: 1, seq: 1, suppressed: 2 }, 2, 11],
    [{ epoch: 'e2', seq: 1, suppressed: 1 }, 1, 12],
  ];
  for (const [numbering, suppressed, total] of steps) {
    t.equal(storeIn(ledger, [denial(numbering)]).suppressed, suppressed);
    t.equal(ledger.sequences()[0]?.suppressed, total);
  }
});

t.test('what was taken and what was stored are one transaction', async (t) => {
  const { ledger } = setUp(t);
  const broken = { ...denial({ seq: 2 }), event: { ...eventOf('broken'), revision: 1.5 } };
  t.throws(() => storeIn(ledger, [denial({ seq: 1 }), broken]), { code: 'EDW_ERR_LEDGER_WRITE' });
  t.strictSame([ledger.denials({}), ledger.sequences(), ledger.gaps('big-1')], [[], [], []]);
  t.match(storeIn(ledger, [denial({ seq: 1 }), denial({ seq: 2 })]), { repeated: 0, stored: { length: 2 } });
});

t.test('in any order, in any batches and over restarts, each number is stored once or missing', async (t) => {
  const sent = fc.record({
    tmm: fc.nat({ max: 1 }),
    epoch: fc.constantFrom('a', 'b'),
    seq: fc.integer({ min: 1, max: 12 }),
    suppressed: fc.nat({ max: 5 }),
    readable: fc.boolean(),
    restart: fc.boolean(),
  });
  const folder = t.testdir({});
  let files = 0;
  fc.assert(
    fc.property(fc.array(fc.array(sent, { maxLength: 8 }), { maxLength: 8 }), (batches) => {
      files += 1;
      const file = join(folder, `${files}.db`);
      let ledger = openLedger({ file, synchronous: 'NORMAL' });
      try {
        for (const batch of batches) {
          if (batch[0]?.restart) {
            ledger.close();
            ledger = openLedger({ file, synchronous: 'NORMAL' });
          }
          storeIn(
            ledger,
            batch.map(({ readable, ...numbering }) => denial(numbering, readable)),
          );
        }
        const all = batches.flat();
        const stored = new Set(
          all.filter((one) => one.readable).map(({ tmm, epoch, seq }) => `${tmm}/${epoch}/${seq}`),
        );
        assert.deepEqual(
          ledger
            .denials({})
            .map(({ event }) => event.ref ?? '')
            .toSorted(),
          [...stored].toSorted(),
        );
        const [observed, suppressed] = observedOf(all);
        const missing = ledger.gaps('big-1').reduce((sum, { first, last }) => sum + last - first + 1, 0);
        const [total = { stored: 0, missing: 0, suppressed: 0 }] = ledger.sequences();
        const { point: _, ...counts } = { point: '', ...total };
        assert.deepEqual(counts, { stored: stored.size, missing, suppressed });
        assert.equal(counts.stored + counts.missing, observed);
      } finally {
        ledger.close();
      }
    }),
    search(t, 60),
  );
});

/** The highest number and the largest total of each sequence, added up. */
function observedOf(all: { tmm: number; epoch: string; seq: number; suppressed: number }[]): [number, number] {
  const names = new Set(all.map(({ tmm, epoch }) => `${tmm}/${epoch}`));
  const own = [...names].map((name) => all.filter(({ tmm, epoch }) => `${tmm}/${epoch}` === name));
  const sum = (key: 'seq' | 'suppressed'): number =>
    own.reduce((total, entries) => total + Math.max(...entries.map((entry) => entry[key])), 0);
  return [sum('seq'), sum('suppressed')];
}

t.test('sequences without end are kept as sums, and the sums stay true', async (t) => {
  const { file, ledger } = setUp(t);
  const lives = 4_200;
  for (let i = 0; i < lives; i += 100) {
    const batch = Array.from({ length: 100 }, (_, j) => denial({ epoch: `life-${i + j}`, seq: 3, suppressed: 2 }));
    storeIn(ledger, batch, t0 + i);
  }
  t.match(ledger.sequences(), [{ stored: lives, missing: 2 * lives, suppressed: 2 * lives }]);
  const db = new DatabaseSync(file);
  t.teardown(() => db.close());
  t.equal(db.prepare('SELECT count(*) AS count FROM sequences').get()?.count, 4_096);
  t.equal(db.prepare('SELECT count(*) AS count FROM gaps').get()?.count, 4_096);
  storeIn(ledger, [denial({ epoch: `life-${lives - 1}`, seq: 2 })], t0 + lives);
  t.match(ledger.sequences(), [{ stored: lives + 1, missing: 2 * lives - 1 }], 'the newest are still told apart');
});

t.test('retention deletes gaps with the events of their time, and sums stay', async (t) => {
  const { ledger } = setUp(t);
  storeIn(ledger, [denial({ seq: 3 }), denial({ seq: 5 })], t0);
  storeIn(ledger, [denial({ seq: 9 })], t0 + 10);
  t.equal(ledger.prune(t0 + 5, 3), 3, 'two events and a gap');
  t.equal(ledger.prune(t0 + 5, 3), 1, 'the other gap');
  t.equal(ledger.prune(t0 + 5, 3), 0);
  t.strictSame(rangesIn(ledger), ['0/e1/6-8']);
  t.match(ledger.sequences(), [{ stored: 3, missing: 6 }]);
  t.match(
    storeIn(ledger, [denial({ seq: 4 })], t0 + 20),
    { late: 0, repeated: 1 },
    'too late to be told from a repeat',
  );
});

t.test('a ledger of the first format opens, with all that it holds', async (t) => {
  const file = join(t.testdir({}), 'ledger.db');
  const old = new DatabaseSync(file);
  old.exec(migrations[0] ?? '');
  old.exec(
    `PRAGMA user_version = 1; INSERT INTO totals VALUES ('edge-1', 'order-front', 'unknown-source', 'deny', 7, ${t0})`,
  );
  old.close();
  const ledger = openLedger({ file });
  t.teardown(() => ledger.close());
  t.match(ledger.totals(), [{ point: 'edge-1', count: 7 }]);
  t.match(storeIn(ledger, [denial({ seq: 2 })]), { missing: 1, stored: { length: 1 } });
});
