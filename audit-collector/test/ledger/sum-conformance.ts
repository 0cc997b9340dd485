/** Sums over all time: in memory as in the ledger, whoever stored. */
import type { Test } from 'tap';
import { t0 } from '../kit.ts';
import { batchOf, eventOf, type MakeLedger, numbered, storeNumbers } from './fixtures.ts';

const most = Number.MAX_SAFE_INTEGER;

export function sumConformance(t: Test, make: MakeLedger): void {
  t.test("the points' counters are added up over their lives", async (t) => {
    type Step = [name: string, counts: Record<string, number>, epoch: string | null, totals: Record<string, number>];
    const steps: Step[] = [
      ['first seen', { a: 5, b: 1 }, 'life-1', { a: 5, b: 1 }],
      ['read again', { a: 5, b: 1 }, 'life-1', { a: 5, b: 1 }],
      ['grown', { a: 8, b: 1 }, 'life-1', { a: 8, b: 1 }],
      ['begun anew and already past the old count', { a: 9 }, 'life-2', { a: 17, b: 1 }],
      ['a counter that comes later', { a: 9, b: 4 }, 'life-2', { a: 17, b: 5 }],
      ['without an epoch, a fall says it', { a: 2, b: 5 }, null, { a: 19, b: 6 }],
    ];
    const place = make(t);
    const ledger = await place.open();
    for (const [name, counts, epoch, totals] of steps) {
      const entries = Object.entries(counts).map(([object, count]) => ({ object, reason: 'unknown-source', count }));
      await ledger.observeEnforced('edge-1', entries, epoch);
      for (const { enforced } of [ledger.sums(), (await place.open()).sums()]) {
        t.strictSame(Object.fromEntries(enforced.map(({ object, count }) => [object, count])), totals, name);
      }
    }
  });

  t.test('the sums in memory are those of the ledger after every commit, and after none that failed', async (t) => {
    const place = make(t);
    const [ledger, other] = [await place.open(), await place.open()];
    const agree = async (name: string): Promise<void> => {
      t.strictSame(ledger.sums(), await ledger.readSums(), name);
      t.strictSame(ledger.sums(), (await place.open()).sums(), `${name}, opened again`);
    };
    await agree('empty');
    const lines = [
      { cause: 'torn' as const, sample: 'x' },
      { cause: 'not-json' as const, sample: 'y' },
    ];
    const losses = [{ cause: 'gone' as const, inode: '1', offset: 7 }];
    await ledger.store(batchOf([eventOf({}), eventOf({ t: t0 - 9 })], { unparsed: lines, losses }));
    await agree('lines');
    await ledger.store(batchOf([eventOf({ verdict: 'would-deny' }), eventOf({}, 'edge-2')]));
    await agree('more of them');
    await storeNumbers(ledger, [numbered({ seq: 3, suppressed: 4 })]);
    await storeNumbers(ledger, [numbered({ seq: 2, tmm: 1 }), numbered({ seq: 1 })]);
    await agree('numbers');
    await ledger.observeEnforced('edge-1', [{ object: 'o', reason: 'r', count: 4 }], 'a');
    await agree('counters');
    const broken = { ...eventOf({}), revision: 1.5 };
    await t.rejects(ledger.store(batchOf([eventOf({}), broken], { unparsed: lines })));
    await agree('a batch that failed');
    await other.store(batchOf([eventOf({})]));
    await ledger.store(batchOf([eventOf({})]));
    await agree('what another stored of the same');
  });

  t.test('whatever a point claims, everything can be read, and nothing wraps around', async (t) => {
    const ledger = await make(t).open();
    const claimed = { ...eventOf({}), count: most };
    await ledger.store(batchOf([claimed, claimed]));
    await ledger.store(batchOf([claimed]));
    for (const epoch of ['a', 'b'])
      await ledger.observeEnforced('edge-1', [{ object: 'o', reason: 'r', count: most }], epoch);
    const { totals, enforced } = await ledger.readSums();
    t.strictSame([totals[0]?.count, enforced[0]?.count], [most, most]);
    t.equal((await ledger.denials({}))[0]?.event.count, most);
  });
}
