/** Counters and lines of a point at a collector: what they differ by is a gap, over its restarts, until the lines come. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import type { Collector } from '../src/index.ts';
import { collectorFor, denyLines, t0, until } from './kit.ts';

const counts = (count: number) => [{ object: 'order-front', reason: 'unknown-source', count }];

interface Books {
  counted: number;
  observed: number;
  stored: number;
  unlogged: number;
}

function booksOf(collector: Collector): Books {
  const account = collector.accounts().find(({ point }) => point === 'a');
  const { observed = 0, stored = 0, gaps } = account ?? {};
  const counted = collector.status()[0]?.enforced ?? 0;
  return { counted, observed, stored, unlogged: gaps?.get('unlogged') ?? 0 };
}

t.test('while the folder of the log is away, nothing is missing', async (t) => {
  const dir = t.testdir({});
  const log = join(dir, 'mounted', 'a.log');
  let clockMs = t0;
  const logs = [{ point: 'a', file: log }];
  const collector = await collectorFor({ ledgerFile: join(dir, 'ledger.db'), logs, now: () => clockMs });
  t.teardown(() => collector.close());
  await collector.start();
  for (let reading = 0; reading < 20; reading += 1) {
    await collector.setEnforcedCounts('a', counts(5), 'one');
    clockMs += 2_000;
    // Longer than the log is left alone.
    await setTimeout(25);
  }
  t.strictSame(booksOf(collector), { counted: 5, observed: 5, stored: 0, unlogged: 0 });
  mkdirSync(join(dir, 'mounted'));
  writeFileSync(log, denyLines(0, 4));
  await until('one is missing of those that were there', async () => {
    await collector.setEnforcedCounts('a', counts(5), 'one');
    clockMs += 2_000;
    return booksOf(collector).unlogged === 1;
  });
  t.strictSame(booksOf(collector), { counted: 5, observed: 5, stored: 4, unlogged: 1 });
});

t.test('what a point counted and has no line of is a gap until it comes, also after restarts', async (t) => {
  const dir = t.testdir({ 'a.log': denyLines(0, 3) });
  const log = join(dir, 'a.log');
  let clockMs = t0;
  const options = { ledgerFile: join(dir, 'ledger.db'), logs: [{ point: 'a', file: log }], now: () => clockMs };
  const open = async (): Promise<Collector> => {
    const collector = await collectorFor(options);
    t.teardown(() => collector.close());
    await collector.start();
    return collector;
  };
  /** Readings as they come, a clock that goes on with them, and the log looked at in between. */
  const read = (collector: Collector, count: number, epoch: string, expect: Books): Promise<void> =>
    until(`the books are ${JSON.stringify(expect)}`, async () => {
      await collector.setEnforcedCounts('a', counts(count), epoch);
      clockMs += 1_000;
      const books = booksOf(collector);
      return Object.entries(expect).every(([key, value]) => books[key as keyof Books] === value);
    });
  const first = await open();
  await read(first, 3, 'one', { counted: 3, observed: 3, stored: 3, unlogged: 0 });
  await read(first, 5, 'one', { counted: 5, observed: 5, stored: 3, unlogged: 2 });
  const [{ windowStart, windowEnd, ...gap } = { windowStart: '', windowEnd: '' }] = await first.uncovered({});
  t.match(gap, { point: 'a', cause: 'unlogged', count: 2 });
  t.ok(windowStart < windowEnd && Date.parse(windowStart) >= t0 && Date.parse(windowEnd) <= clockMs, 'its window');
  await first.close();

  const again = await open();
  t.strictSame(booksOf(again), { counted: 5, observed: 5, stored: 3, unlogged: 2 });
  appendFileSync(log, denyLines(3, 4));
  await read(again, 5, 'one', { counted: 5, observed: 5, stored: 4, unlogged: 1 });
  // Five more, and the end of it before anybody asked.
  appendFileSync(log, denyLines(4, 9));
  await until('all is stored', () => booksOf(again).stored === 9);
  await read(again, 0, 'two', { counted: 10, observed: 10, stored: 9, unlogged: 1 });
  await again.close();

  const last = await open();
  await read(last, 2, 'two', { counted: 12, observed: 12, stored: 9, unlogged: 3 });
  t.match(
    (await last.uncovered({})).map(({ count }) => count),
    [3],
  );
});
