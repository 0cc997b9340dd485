/** Numbers of a point's denials: each is stored once or missing, whatever comes late, twice, in another order or life. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Test } from 'tap';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { type Numbering, search, t0 } from '../kit.ts';
import { eventOf, eventsBefore, type MakeLedger, numbered, rangesIn, refsIn, storeNumbers } from './fixtures.ts';

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

export function numberConformance(t: Test, make: MakeLedger): void {
  t.test('a hole is a gap, a late one fills it, a repeated one is left out, also by another process', async (t) => {
    const place = make(t);
    const ledger = await place.open();
    for (const [name, numbers, result, gaps] of steps) {
      const other = await place.open();
      const denials = numbers.map((number) => numbered(number));
      t.match(await storeNumbers(other, denials), result, name);
      await other.close();
      t.strictSame(await rangesIn(ledger), gaps, name);
      const refs = await refsIn(ledger);
      t.equal(new Set(refs).size, refs.length, `${name}: nothing is stored twice`);
      t.equal((await ledger.readSums()).sequences[0]?.stored, refs.length, `${name}: stored is what is stored`);
    }
  });

  t.test('a number whose record could not be read is missing, until it comes again', async (t) => {
    const ledger = await make(t).open();
    const store = (...denials: Parameters<typeof numbered>[]) =>
      storeNumbers(
        ledger,
        denials.map((denial) => numbered(...denial)),
      );
    t.match(await store([{ seq: 1 }], [{ seq: 4 }, false]), { missing: 3, stored: { length: 1 } });
    t.match(await store([{ seq: 5 }, false], [{ seq: 1 }, false]), { missing: 1, repeated: 0 });
    t.strictSame(await rangesIn(ledger), ['0/e1/2-5'], 'one range, not one a number');
    t.match(await store([{ seq: 4 }, false], [{ seq: 4 }]), { missing: 0, late: 1 });
    t.match(ledger.sums().sequences, [{ point: 'big-1', stored: 2, missing: 3, suppressed: 0 }]);
  });

  t.test('the suppressed are a running total, whose growth counts once', async (t) => {
    const ledger = await make(t).open();
    const numbers: [numbering: Numbering, grown: number, total: number][] = [
      [{ seq: 1, suppressed: 5 }, 5, 5],
      [{ seq: 3, suppressed: 9 }, 4, 9],
      [{ seq: 2, suppressed: 5 }, 0, 9],
      [{ seq: 3, suppressed: 9 }, 0, 9],
      [{ tmm: 1, seq: 1, suppressed: 2 }, 2, 11],
      [{ epoch: 'e2', seq: 1, suppressed: 1 }, 1, 12],
    ];
    for (const [numbering, suppressed, total] of numbers) {
      t.equal((await storeNumbers(ledger, [numbered(numbering)])).suppressed, suppressed);
      t.equal(ledger.sums().sequences[0]?.suppressed, total);
    }
  });

  t.test('what was taken and what was stored are one transaction', async (t) => {
    const ledger = await make(t).open();
    const broken = { ...numbered({ seq: 2 }), event: { ...eventOf({ ref: 'broken' }, 'big-1'), revision: 1.5 } };
    await t.rejects(storeNumbers(ledger, [numbered({ seq: 1 }), broken]), { code: 'EDW_ERR_LEDGER_WRITE' });
    t.strictSame([await refsIn(ledger), ledger.sums().sequences, await ledger.gaps('big-1')], [[], [], []]);
    const whole = [numbered({ seq: 1 }), numbered({ seq: 2 })];
    t.match(await storeNumbers(ledger, whole), { repeated: 0, stored: { length: 2 } });
  });

  t.test('in any order, in any batches and over restarts, each number is stored once or missing', async (t) => {
    const holds = fc.asyncProperty(fc.array(fc.array(sent, { maxLength: 8 }), { maxLength: 8 }), async (batches) => {
      const place = make(t);
      let ledger = await place.open();
      for (const batch of batches) {
        if (batch[0]?.restart) {
          await ledger.close();
          ledger = await place.open();
        }
        const denials = batch.map(({ readable, ...numbering }) => numbered(numbering, readable));
        await storeNumbers(ledger, denials);
      }
      await agrees(ledger, batches.flat());
      await ledger.close();
    });
    await fc.assert(holds, search(t, make.runs ?? 60));
    t.pass('always');
  });

  t.test('sequences without end are kept as sums, and the sums stay true', async (t) => {
    const ledger = await make(t).open();
    const lives = 4_200;
    for (let i = 0; i < lives; i += 100) {
      const batch = Array.from({ length: 100 }, (_, j) => numbered({ epoch: `life-${i + j}`, seq: 3, suppressed: 2 }));
      await storeNumbers(ledger, batch, t0 + i);
    }
    const sums = { stored: lives, missing: 2 * lives, suppressed: 2 * lives };
    t.match([ledger.sums().sequences, (await ledger.readSums()).sequences], [[sums], [sums]]);
    await storeNumbers(ledger, [numbered({ epoch: `life-${lives - 1}`, seq: 2 })], t0 + lives);
    const after = ledger.sums().sequences;
    t.match(after, [{ stored: lives + 1, missing: 2 * lives - 1 }], 'the newest are still told apart');
  });

  t.test('retention deletes gaps that were seen before, in steps, and sums stay', async (t) => {
    const ledger = await make(t).open();
    await storeNumbers(ledger, [numbered({ seq: 3 }), numbered({ seq: 5 })], t0);
    await storeNumbers(ledger, [numbered({ seq: 9 })], t0 + 10);
    for (let i = 0; i < 10 && (await ledger.prune(eventsBefore(t0 + 5), 1)) > 0; i += 1);
    t.strictSame(await rangesIn(ledger), ['0/e1/6-8']);
    t.match(ledger.sums().sequences, [{ stored: 3, missing: 6 }]);
    const late = await storeNumbers(ledger, [numbered({ seq: 4 })], t0 + 20);
    t.match(late, { late: 0, repeated: 1 }, 'too late to be told from a repeat');
  });
}

const sent = fc.record({
  tmm: fc.nat({ max: 1 }),
  epoch: fc.constantFrom('a', 'b'),
  seq: fc.integer({ min: 1, max: 12 }),
  suppressed: fc.nat({ max: 5 }),
  readable: fc.boolean(),
  restart: fc.boolean(),
});

type Sent = { tmm: number; epoch: string; seq: number; suppressed: number; readable: boolean };

async function agrees(ledger: Ledger, all: Sent[]): Promise<void> {
  const stored = new Set(all.filter((one) => one.readable).map(({ tmm, epoch, seq }) => `${tmm}/${epoch}/${seq}`));
  assert.deepEqual((await refsIn(ledger)).map(String).toSorted(), [...stored].toSorted());
  const [observed, suppressed] = observedOf(all);
  const missing = (await ledger.gaps('big-1')).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const [total = { point: '', stored: 0, missing: 0, suppressed: 0 }] = ledger.sums().sequences;
  const { point: _, ...counts } = total;
  assert.deepEqual(counts, { stored: stored.size, missing, suppressed });
  assert.equal(counts.stored + counts.missing, observed);
}

/** The highest number and the largest total of each sequence, added up. */
function observedOf(all: Sent[]): [number, number] {
  const names = new Set(all.map(({ tmm, epoch }) => `${tmm}/${epoch}`));
  const own = [...names].map((name) => all.filter(({ tmm, epoch }) => `${tmm}/${epoch}` === name));
  const sum = (key: 'seq' | 'suppressed'): number =>
    own.reduce((total, entries) => total + Math.max(...entries.map((entry) => entry[key])), 0);
  return [sum('seq'), sum('suppressed')];
}
