/** The books of a point whose counter and lines differ: closed once, whoever finds it, and taken back by what is late. */
import type { Test } from 'tap';
import type { Settling } from '../../src/ledger/settlements.ts';
import { t0 } from '../kit.ts';
import { batchOf, eventOf, eventsBefore, type MakeLedger } from './fixtures.ts';

const settling = (left: number, from: Partial<Settling['from']> = {}, more: Partial<Settling> = {}): Settling => ({
  ...{ point: 'edge-1', epoch: 'a', left, seenMs: t0 + 9_000, storedMs: t0 + 20_000 },
  from: { unlogged: 0, uncounted: 0, ...from },
  ...more,
});
const counted = (count: number) => [{ object: 'o', reason: 'unknown-source', count }];

export function settlementConformance(t: Test, make: MakeLedger): void {
  t.test('what was counted and has no line is a gap, once, with its window', async (t) => {
    const place = make(t);
    const [ledger, other] = [await place.open(), await place.open()];
    await ledger.observeEnforced('edge-1', counted(5), 'a', t0);
    t.strictSame(await ledger.settle(settling(2)), { unlogged: 2, uncounted: 0 });
    const nothing = { unlogged: 0, uncounted: 0 };
    t.strictSame(await ledger.settle(settling(2)), nothing, 'the same again');
    t.strictSame(await other.settle(settling(2)), nothing, 'by another process');
    t.strictSame(await (await place.open()).settle(settling(2)), nothing, 'after a restart');
    t.strictSame(await ledger.settle(settling(1, { unlogged: 2 })), { unlogged: 1, uncounted: 0 }, 'one more');
    for (const { uncovered } of [ledger.sums(), await ledger.readSums(), (await place.open()).sums()])
      t.strictSame(uncovered, [{ point: 'edge-1', cause: 'unlogged', count: 3 }]);
    const [windowStart, windowEnd] = [new Date(t0).toISOString(), new Date(t0 + 9_000).toISOString()];
    t.strictSame(await ledger.uncovered({}), [
      { point: 'edge-1', cause: 'unlogged', count: 3, windowStart, windowEnd },
    ]);
  });

  t.test('late lines take back what was found in that life; of another one they were never counted', async (t) => {
    type Step = [name: string, given: Settling, result: object, sums: [unlogged: number, uncounted: number]];
    const steps: Step[] = [
      ['a gap', settling(3), { unlogged: 3, uncounted: 0 }, [3, 0]],
      ['another', settling(2, { unlogged: 3 }), { unlogged: 2, uncounted: 0 }, [5, 0]],
      ['one is late', settling(-1, { unlogged: 5 }), { unlogged: -1, uncounted: 0 }, [4, 0]],
      ['two more', settling(-2, { unlogged: 4 }), { unlogged: -2, uncounted: 0 }, [2, 0]],
      ['of another life', settling(-4, { unlogged: 2 }, { epoch: 'b' }), { unlogged: 0, uncounted: 4 }, [2, 4]],
      ['a gap of it', settling(1, { unlogged: 2, uncounted: 4 }, { epoch: 'b' }), { unlogged: 1 }, [3, 4]],
      ['more than was missing', settling(-3, { unlogged: 3, uncounted: 4 }, { epoch: 'b' }), { unlogged: -1 }, [2, 6]],
    ];
    const place = make(t);
    for (const [name, given, result, [unlogged, uncounted]] of steps) {
      const ledger = await place.open();
      t.match(await ledger.settle(given), result, name);
      for (const sums of [ledger.sums(), await ledger.readSums()]) {
        t.strictSame(sums.uncovered, [{ point: 'edge-1', cause: 'unlogged', count: unlogged }], name);
        const beyond = { point: 'edge-1', object: '', reason: 'uncounted', count: uncounted };
        t.strictSame(sums.enforced, uncounted > 0 ? [beyond] : [], name);
      }
      const rows = (await ledger.uncovered({})).map(({ count }) => count);
      t.strictSame(rows, [unlogged], `${name}: the windows say the same`);
      await ledger.close();
    }
  });

  t.test('retention takes the window and not the count; what is late is taken back all the same', async (t) => {
    const ledger = await make(t).open();
    await ledger.store(batchOf([eventOf({})]));
    await ledger.settle(settling(3));
    await ledger.prune(eventsBefore(t0 + 30_000), 1_000);
    t.strictSame(await ledger.uncovered({}), []);
    t.strictSame(await ledger.settle(settling(-2, { unlogged: 3 })), { unlogged: -2, uncounted: 0 });
    t.strictSame(ledger.sums().uncovered, [{ point: 'edge-1', cause: 'unlogged', count: 1 }]);
  });
}
