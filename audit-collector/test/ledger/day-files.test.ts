/** Events in one file a day: what stands, what retention ends, and what a lost file costs. */
import { appendFileSync, existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { EdgewardError } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { checkSearch } from '../../src/ledger/search.ts';
import { openDayFile } from '../../src/ledger/sqlite/day-file.ts';
import { openLedgerFile } from '../../src/ledger/sqlite/ledger-file.ts';
import { openLedgerHere } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { t0 } from '../kit.ts';
import { batchOf, eventOf, eventsBefore, refsIn } from './fixtures.ts';

const dayMs = 86_400_000;

interface Place {
  folder: string;
  file: string;
  lost: EdgewardError[];
  open(): Promise<Ledger>;
  days(): string[];
}

function setUp(t: Test): Place {
  const folder = t.testdir({});
  const file = join(folder, 'ledger.db');
  const lost: EdgewardError[] = [];
  return {
    ...{ folder, file, lost },
    async open() {
      const ledger = await openLedgerHere({ file, synchronous: 'NORMAL', onDayLost: (error) => lost.push(error) });
      t.teardown(() => ledger.close());
      return ledger;
    },
    days: () => readdirSync(folder).filter((name) => /^events-.*\.db$/.test(name)),
  };
}

const store = (ledger: Ledger, storedMs: number, ...refs: string[]) =>
  ledger.store(
    batchOf(
      refs.map((ref) => eventOf({ ref, t: storedMs })),
      { storedMs },
    ),
  );

/** Three days, the last of them today. */
async function threeDays(ledger: Ledger): Promise<void> {
  await store(ledger, t0 - 2 * dayMs, 'a', 'b');
  await store(ledger, t0 - dayMs, 'c');
  await store(ledger, t0, 'd', 'e');
}

t.test('a day is what was stored in it, by UTC, and is found over its ends', async (t) => {
  const place = setUp(t);
  const ledger = await place.open();
  const midnight = Date.parse('2026-11-23T00:00:00.000Z');
  await store(ledger, midnight - 1, 'a');
  await store(ledger, midnight, 'b', 'c');
  t.strictSame(place.days(), ['events-20261122.db', 'events-20261123.db']);
  const pages: [query: object, refs: string[]][] = [
    [{}, ['a', 'b', 'c']],
    [{ limit: 2 }, ['a', 'b']],
    [{ limit: 2, newest: true }, ['b', 'c']],
    [{ afterId: 1 }, ['b', 'c']],
    [{ sinceMs: midnight }, ['b', 'c']],
    [{ id: 2 }, ['b']],
    [{ ref: 'a' }, ['a']],
  ];
  for (const [query, refs] of pages) {
    t.strictSame(
      (await ledger.denials(query)).map(({ event }) => event.ref),
      refs,
      JSON.stringify(query),
    );
  }
});

t.test('a clock that is set back over midnight costs no event and no order', async (t) => {
  const place = setUp(t);
  const ledger = await place.open();
  for (const [i, at] of [t0 + dayMs, t0, t0 + dayMs, t0].entries()) await store(ledger, at, `x${i}`, `y${i}`);
  const all = ['x0', 'y0', 'x1', 'y1', 'x2', 'y2', 'x3', 'y3'];
  t.strictSame(await refsIn(ledger), all);
  for (let after = 0; after < all.length; after += 1) {
    const page = await ledger.denials({ afterId: after, limit: 3 });
    t.strictSame(
      page.map(({ event }) => event.ref),
      all.slice(after, after + 3),
      `after ${after}`,
    );
    const newest = await ledger.denials({ newest: true, limit: after + 1 });
    t.strictSame(
      newest.map(({ event }) => event.ref),
      all.slice(-after - 1),
      `the newest ${after + 1}`,
    );
  }
});

t.test('retention ends whole days, files and all, and nothing that is under way', async (t) => {
  const place = setUp(t);
  const ledger = await place.open();
  await threeDays(ledger);
  await ledger.prune(eventsBefore(Date.parse('2026-11-21T23:59:59.999Z')), 100);
  t.strictSame([await refsIn(ledger), place.days().length], [['c', 'd', 'e'], 2], 'the day before is not over yet');
  await ledger.prune(eventsBefore(Date.parse('2026-11-22T00:00:00.000Z')), 100);
  t.strictSame([await refsIn(ledger), place.days()], [['d', 'e'], ['events-20261122.db']]);
  t.notOk(
    readdirSync(place.folder).some((name) => name.startsWith('events-20261121')),
    'with what SQLite keeps beside it',
  );
  t.equal((await ledger.readSums()).totals[0]?.count, 5);
});

t.test('a file that was forgotten by somebody who was killed over it is deleted the next time', async (t) => {
  const place = setUp(t);
  const ledger = await place.open();
  await threeDays(ledger);
  const db = new DatabaseSync(place.file);
  db.exec("DELETE FROM day_files WHERE name = 'events-20261120.db'");
  db.close();
  writeFileSync(join(place.folder, 'events-20261119.db'), '');
  writeFileSync(join(place.folder, 'events-of-somebody.db'), 'x');
  await ledger.prune(eventsBefore(Date.parse('2026-11-21T00:00:00.000Z')), 100);
  t.strictSame(await refsIn(ledger), ['c', 'd', 'e']);
  t.notOk(place.days().includes('events-20261120.db'));
  t.ok(place.days().includes('events-of-somebody.db'));
  t.equal(place.lost.length, 0);
});

t.test('what another process ended is gone here too, and is no loss', async (t) => {
  const place = setUp(t);
  const [ledger, other] = [await place.open(), await place.open()];
  await threeDays(ledger);
  t.equal((await refsIn(other)).length, 5);
  await ledger.prune(eventsBefore(t0), 100);
  t.strictSame([await refsIn(other), place.lost], [['d', 'e'], []]);
});

t.test('a day file that is gone or damaged costs its day alone, and is told once', async (t) => {
  const damage: [name: string, run: (file: string) => void][] = [
    ['gone', (file) => rmSync(file)],
    ['no database', (file) => writeFileSync(file, 'prose '.repeat(2_000))],
    ['empty', (file) => writeFileSync(file, '')],
  ];
  for (const [name, run] of damage) {
    await t.test(name, async (t) => {
      const place = setUp(t);
      const first = await place.open();
      await threeDays(first);
      const before = [first.sums(), await first.minutes({})];
      await first.close();
      run(join(place.folder, 'events-20261121.db'));
      const ledger = await place.open();
      for (const _ of ['once', 'again']) t.strictSame(await refsIn(ledger), ['a', 'b', 'd', 'e']);
      t.strictSame([ledger.sums(), await ledger.minutes({})], before);
      t.match(place.lost, [{ code: 'EDW_ERR_LEDGER_DAY', message: /events-20261121\.db/, mend: String }]);
      t.equal(place.lost.length, 1);
      for (let i = 0; i < 3; i += 1) await ledger.prune(eventsBefore(t0), 100);
      t.strictSame(place.days(), ['events-20261122.db'], 'and retention forgets it');
    });
  }
});

t.test('while it is written to, a day file that is lost is followed by another', async (t) => {
  for (const [name, run] of [
    ['gone', (file: string) => rmSync(file)],
    ['no database', (file: string) => writeFileSync(file, 'prose '.repeat(2_000))],
  ] as const) {
    await t.test(name, async (t) => {
      const place = setUp(t);
      const first = await place.open();
      await threeDays(first);
      if (name !== 'gone') await first.close();
      run(join(place.folder, 'events-20261122.db'));
      const ledger = name === 'gone' ? first : await place.open();
      const [stored] = await store(ledger, t0, 'f');
      t.equal(stored?.id, 6);
      t.strictSame(await refsIn(ledger), ['a', 'b', 'c', 'f']);
      t.ok(place.days().includes('events-20261122-2.db'));
      t.match(place.lost, [{ code: 'EDW_ERR_LEDGER_DAY' }]);
      const again = await place.open();
      await store(again, t0, 'g');
      t.strictSame(await refsIn(again), ['a', 'b', 'c', 'f', 'g'], 'by whoever opens it next');
    });
  }
});

t.test('day files of a ledger that was moved aside are left alone', async (t) => {
  const place = setUp(t);
  const first = await place.open();
  await store(first, t0, 'old');
  await first.close();
  renameSync(place.file, `${place.file}.aside`);
  const ledger = await place.open();
  await store(ledger, t0, 'new');
  t.strictSame([await refsIn(ledger), place.lost], [['new'], []]);
  t.strictSame(place.days(), ['events-20261122-2.db', 'events-20261122.db']);
  await ledger.close();
  renameSync(`${place.file}.aside`, place.file);
  t.strictSame(await refsIn(await place.open()), ['old'], 'and put back, it has them');
});

t.test('what a day file holds and the ledger does not say is nothing, and its ids are given to others', async (t) => {
  const place = setUp(t);
  const failing = openLedgerFile({
    file: place.file,
    passes: () => {
      throw new Error('killed between two commits');
    },
  });
  t.throws(() => failing.store(batchOf([eventOf({ ref: 'lost' }), eventOf({ ref: 'lost' })])), {
    code: 'EDW_ERR_LEDGER_WRITE',
  });
  const rows = (): unknown =>
    new DatabaseSync(join(place.folder, 'events-20261122.db'), { readOnly: true })
      .prepare('SELECT group_concat(ref) AS refs FROM events')
      .get()?.refs;
  t.equal(rows(), 'lost,lost', 'it is in the file');
  failing.close();
  const ledger = await place.open();
  t.strictSame([await refsIn(ledger), ledger.sums().totals], [[], []]);
  t.equal((await store(ledger, t0, 'a'))[0]?.id, 1);
  t.strictSame([await refsIn(ledger), rows()], [['a'], 'a']);
  t.equal(place.lost.length, 0);
});

t.test('a truncated day file is told when the part that is missing is asked for', async (t) => {
  const place = setUp(t);
  const first = await place.open();
  for (let i = 0; i < 30; i += 1) await store(first, t0, ...Array.from({ length: 50 }, (_, j) => `${i}/${j}`));
  await first.close();
  const file = join(place.folder, 'events-20261122.db');
  writeFileSync(file, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(200_000, 0x5a)]));
  appendFileSync(file, 'x');
  const ledger = await place.open();
  t.strictSame(await refsIn(ledger), []);
  t.match(place.lost, [{ code: 'EDW_ERR_LEDGER_DAY' }]);
  t.ok(existsSync(file), 'nothing is deleted');
});

t.test('a search that is cut short for time goes on where it stopped, and finds each once', async (t) => {
  const place = setUp(t);
  const options = { ledgerId: 'x', synchronous: 'NORMAL' as const, timeoutMs: 100, isNew: true };
  const day = openDayFile({ ...options, file: join(place.folder, 'day.db') });
  if (day === null) throw new Error('not opened');
  t.teardown(() => day.close());
  const total = 45_000;
  const [plain, sought] = [eventOf({}), eventOf({ rule: 'r', reason: 'denied-by-rule' })];
  const isSought = (id: number): boolean => id % 9_000 === 1;
  const events = Array.from({ length: total }, (_, i) => ({
    id: i + 1,
    storedMs: t0,
    event: isSought(i + 1) ? sought : plain,
  }));
  day.insert(events, 0);
  const all = events.filter(({ id }) => isSought(id)).map(({ id }) => id);
  for (const order of ['newest', 'oldest'] as const) {
    let [firstId, lastId, cuts] = [1, total, 0];
    const found: number[] = [];
    for (let more = true; more && cuts < 10; ) {
      const page = day.search(checkSearch({ rule: 'r', order }), { firstId, lastId }, 100, () => true);
      found.push(...page.denials.map(({ id }) => id));
      more = page.isCutShort;
      if (more) cuts += 1;
      if (order === 'newest') lastId = page.reachedId - 1;
      else firstId = page.reachedId + 1;
    }
    t.strictSame([found, cuts], [order === 'newest' ? all.toReversed() : all, 3], order);
  }
});

t.test('a day file that another one holds is no lost day', async (t) => {
  const place = setUp(t);
  const first = await place.open();
  await store(first, t0, 'a');
  await first.close();
  const other = new DatabaseSync(join(place.folder, 'events-20261122.db'));
  t.teardown(() => {
    if (other.isOpen) other.close();
  });
  other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE held (a)');
  const ledger = await place.open();
  await t.rejects(ledger.denials({}), { code: 'EDW_ERR_LEDGER_BUSY' });
  other.exec('ROLLBACK');
  other.close();
  t.strictSame([await refsIn(ledger), place.lost], [['a'], []]);
});
