/** The ledger in threads of its own: what it promises, and that nobody here waits for it. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import type { Ledger, SpoolRecord } from '../../src/ledger/ledger.ts';
import { openLedger, openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { t0 } from '../kit.ts';
import { eventConformance } from './event-conformance.ts';
import { batchOf, eventOf, type MakeLedger, numbered, refsIn, storeNumbers } from './fixtures.ts';

const place = async (t: Test): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-ledger-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'ledger.db');
};

const make: MakeLedger = (t) => {
  const file = place(t);
  return {
    async open() {
      const ledger = await openLedger({ file: await file, synchronous: 'NORMAL' });
      t.teardown(() => ledger.close());
      return ledger;
    },
  };
};

// Of the suite, this much: a thread begins slowly, and what is said through it is one thing.
eventConformance(t, make);

async function setUp(t: Test): Promise<{ file: string; ledger: Ledger }> {
  const file = await place(t);
  const ledger = await openLedger({ file, synchronous: 'NORMAL' });
  t.teardown(() => ledger.close());
  return { file, ledger };
}

t.test(
  'while it cannot write, this thread goes on, what is there is found, and what waits is stored in order',
  async (t) => {
    const { file, ledger } = await setUp(t);
    await ledger.store(batchOf([eventOf({ ref: 'before' })]));
    t.strictSame(await refsIn(ledger), ['before'], 'the reader is there');
    const other = new DatabaseSync(file);
    t.teardown(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    let stored = 0;
    const refs = Array.from({ length: 20 }, (_, i) => `r${i}`);
    const storing = refs.map((ref) => ledger.store(batchOf([eventOf({ ref })])).then(() => (stored += 1)));
    for (let turns = 0; turns < 10; turns += 1) await setImmediate();
    t.strictSame([await refsIn(ledger), stored, ledger.sums().totals[0]?.count], [['before'], 0, 1]);
    other.exec('ROLLBACK');
    await Promise.all(storing);
    t.strictSame(await refsIn(ledger), ['before', ...refs]);
    t.equal(ledger.sums().totals[0]?.count, 21);
  },
);

t.test('how many wait is bounded, and whoever is turned away finds the ledger as it was', async (t) => {
  const { file, ledger } = await setUp(t);
  const other = new DatabaseSync(file);
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const refs = Array.from({ length: 300 }, (_, i) => `r${i}`);
  const storing = Promise.allSettled(refs.map((ref) => ledger.store(batchOf([eventOf({ ref })]))));
  other.exec('ROLLBACK');
  const results = await storing;
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  t.equal(refused.length, 300 - 256);
  for (const reason of refused) t.match(reason, { code: 'EDW_ERR_LEDGER_OVERLOADED', mend: String });
  t.strictSame(await refsIn(ledger), refs.slice(0, 256));
  t.equal((await ledger.store(batchOf([eventOf({})]))).length, 1, 'and there is room again');
});

t.test('of each kind of batch a thread answers what the ledger does without one, and keeps the same', async (t) => {
  const { ledger } = await setUp(t);
  const here = await openLedgerHere({ file: await place(t), synchronous: 'NORMAL' });
  t.teardown(() => here.close());
  const bare = {
    ...eventOf({ ref: 'bare' }),
    objectLabels: {},
    sourceLabels: {},
    sourceWorkloads: [],
    time: 'no time',
  };
  const again = eventOf({ ref: 'again' });
  const gap = {
    seq: 3,
    kind: 'gap',
    cause: 'netlink',
    count: 7,
    windowStart: again.time,
    windowEnd: again.time,
  } as const;
  const unparsed = { cause: 'torn', sample: 'a sample' } as const;
  const loss = { cause: 'gone', inode: '7', offset: 1 } as const;
  const spooled: SpoolRecord[] = [
    { seq: 1, event: again },
    { seq: 3, gap },
    { seq: 4, unparsed },
    { seq: 5, loss },
  ];
  const [point, log] = ['edge-1', 'syslog'];
  const ways: [string, (of: Ledger) => Promise<unknown>][] = [
    ['lines', (of) => of.store(batchOf([again, again, eventOf({ ref: null, path: '/\0' })]))],
    ['lines that are refused', (of) => of.store(batchOf([again, bare])).catch(({ code }) => code)],
    ['numbers', (of) => storeNumbers(of, [numbered({ seq: 2 }), numbered({ seq: 4 }, false), numbered({ seq: 2 })])],
    ['late numbers', (of) => storeNumbers(of, [numbered({ seq: 4 }), numbered({ seq: 1 }), numbered({ seq: 2 })])],
    ['nothing', (of) => of.storeNumbered({ point, log, storedMs: t0, denials: [], unparsed: [unparsed] })],
    ['records', (of) => of.storeSpooled({ point, epoch: 'e'.repeat(32), storedMs: t0, records: spooled })],
    ['records again', (of) => of.storeSpooled({ point, epoch: 'e'.repeat(32), storedMs: t0, records: spooled })],
  ];
  for (const [name, store] of ways) t.strictSame(await store(ledger), await store(here), name);
  t.strictSame(await ledger.denials({}), await here.denials({}));
  t.strictSame(await ledger.readSums(), await here.readSums());
  t.equal((await here.denials({})).length, 7);
});

t.test('an error has its code and mend on this side too, and costs no other batch', async (t) => {
  const { ledger } = await setUp(t);
  const broken = { ...eventOf({ ref: 'b' }), revision: 1.5 };
  const results = await Promise.allSettled([
    ledger.store(batchOf([eventOf({ ref: 'a' })])),
    ledger.store(batchOf([broken])),
    ledger.store(batchOf([eventOf({ ref: 'c' })])),
  ]);
  t.match(results, [
    { value: [{ id: 1 }] },
    { reason: { code: 'EDW_ERR_LEDGER_WRITE', mend: String } },
    { value: [{ id: 2 }] },
  ]);
});

t.test('what cannot be opened is refused with a code, and leaves no thread behind', async (t) => {
  const file = await place(t);
  await writeFile(file, 'prose '.repeat(1_000));
  await t.rejects(openLedger({ file }), { code: 'EDW_ERR_LEDGER_DAMAGED', mend: String });
});

t.test('a thread that ends fails what was asked of it, and the next batch is stored', async (t) => {
  const workers: Worker[] = [];
  const onWorker = (worker: Worker): unknown => workers.push(worker);
  process.on('worker', onWorker);
  t.teardown(() => process.off('worker', onWorker));
  const { ledger } = await setUp(t);
  await ledger.store(batchOf([eventOf({ ref: 'a' })]));
  const writer = workers[0];
  if (writer === undefined) throw new Error('no thread was started');
  const ended = once(writer, 'exit');
  void writer.terminate();
  await Promise.allSettled([ledger.store(batchOf([eventOf({ ref: 'b' })])), ended]);
  await ledger.store(batchOf([eventOf({ ref: 'c' })]));
  const refs = await refsIn(ledger);
  t.strictSame(
    refs.filter((ref) => ref !== 'b'),
    ['a', 'c'],
  );
  t.equal((await ledger.readSums()).totals[0]?.count, refs.length);
});

t.test('closed, it has done what was asked before, and does nothing after', async (t) => {
  const { file, ledger } = await setUp(t);
  const storing = ['a', 'b', 'c'].map((ref) => ledger.store(batchOf([eventOf({ ref })])));
  await ledger.close();
  t.match(await Promise.all(storing), [{ length: 1 }, { length: 1 }, { length: 1 }]);
  await t.rejects(ledger.store(batchOf([eventOf({})])), { code: 'EDW_ERR_LEDGER_WRITE' });
  await ledger.close();
  const again = await openLedger({ file });
  t.teardown(() => again.close());
  t.strictSame(await refsIn(again), ['a', 'b', 'c']);
});
