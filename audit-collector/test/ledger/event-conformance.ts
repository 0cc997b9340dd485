/** Events: each once, found again, to the byte; with their cursors, and until retention takes them. */
import type { Test } from 'tap';
import type { DenialQuery } from '../../src/ledger/ledger.ts';
import { t0 } from '../kit.ts';
import { batchOf, cursorAt, eventOf, eventsBefore, type MakeLedger, refsIn } from './fixtures.ts';

const dayMs = 86_400_000;

export function eventConformance(t: Test, make: MakeLedger): void {
  t.test('what is stored is what is read, to the byte', async (t) => {
    const place = make(t);
    const ledger = await place.open();
    const hostile = [
      '/\0\u001b\uFFFD\u{1F600}"\'',
      "'; DROP TABLE events; --",
      '{"__proto__":{"a":1}}',
      '=cmd|calc!A1\r\n<134>1 - forged',
    ];
    const events = [
      ...hostile.map((text) => eventOf({ ref: text, path: text, host: text, rule: text, object: text })),
      { ...eventOf({ ref: 'names' }), sourceLabels: { 'a"b': "c'd", ['__proto__']: 'own' }, sourceWorkloads: hostile },
      eventOf({ ref: null, peer: '198.51.100.7', verdict: 'would-deny', truncated: true, method: '' }),
    ];
    const stored = await ledger.store(batchOf(events));
    t.strictSame(
      stored.map((denial) => denial.event),
      events,
    );
    t.strictSame(await ledger.denials({}), stored);
    t.strictSame(await (await place.open()).denials({}), stored, 'by another reader too');
  });

  t.test('denials are found by when, where, whom and reference, oldest first', async (t) => {
    const ledger = await make(t).open();
    await ledger.store(
      batchOf([
        eventOf({ ref: 'a', t: t0, source: '2001:db8::1' }),
        eventOf({ ref: 'b', t: t0 + 5_000, object: 'crm' }),
        eventOf({ ref: 'c', t: t0 + 1_000, source: '10.9.9.9' }, 'edge-2'),
        eventOf({ ref: 'd', t: t0 + 9_000 }),
      ]),
    );
    const table: [query: DenialQuery, refs: string[]][] = [
      [{}, ['a', 'b', 'c', 'd']],
      [{ limit: 2 }, ['a', 'b']],
      [{ limit: 2, newest: true }, ['c', 'd']],
      [{ afterId: 2 }, ['c', 'd']],
      [{ afterId: 4 }, []],
      [{ sinceMs: t0 + 1_000 }, ['b', 'c', 'd']],
      [{ sinceMs: t0 + 2_000 }, ['b', 'd']],
      [{ sinceMs: t0 + 10_000 }, []],
      [{ sinceMs: t0 + 2_000, afterId: 2 }, ['d']],
      [{ point: 'edge-2' }, ['c']],
      [{ object: 'crm' }, ['b']],
      [{ source: '2001:DB8:0::1' }, ['a']],
      [{ source: '::ffff:10.9.9.9' }, ['b', 'c', 'd']],
      [{ source: "' OR 1=1 --" }, []],
      [{ ref: 'c' }, ['c']],
      [{ point: 'edge-1', source: '10.9.9.9', limit: 1, newest: true }, ['d']],
    ];
    for (const [query, refs] of table) {
      const found = await ledger.denials(query);
      t.strictSame(
        found.map((denial) => denial.event.ref),
        refs,
        JSON.stringify(query),
      );
    }
    t.equal((await ledger.byRef('b'))?.id, 2);
    t.equal((await ledger.byId(3))?.event.ref, 'c');
    t.strictSame([await ledger.byRef('z'), await ledger.byId(99)], [null, null]);
  });

  t.test('a batch is stored whole or not at all, and a cursor moves only from where it stands', async (t) => {
    const ledger = await make(t).open();
    await ledger.store(batchOf([eventOf({ ref: 'a' })], { cursors: [{ from: null, cursor: cursorAt(10) }] }));
    const crm = eventOf({ ref: 'b', source: '10.30.1.4' });
    const again = batchOf([crm], { cursors: [{ from: 5, cursor: cursorAt(20) }] });
    await t.rejects(ledger.store(again), { code: 'EDW_ERR_LEDGER_CONTENDED' });
    t.strictSame(await refsIn(ledger), ['a']);
    t.strictSame(await ledger.cursors('edge-1', '/deny.log'), [cursorAt(10)]);
    const broken = { ...eventOf({ ref: 'c' }), revision: 1.5 };
    const moved = { cursors: [{ from: 10, cursor: cursorAt(20) }] };
    await t.rejects(ledger.store(batchOf([crm, broken], moved)), { code: 'EDW_ERR_LEDGER_WRITE' });
    t.strictSame(await refsIn(ledger), ['a'], 'neither');
    await ledger.store(batchOf([crm], moved));
    const [second] = await ledger.denials({ ref: 'b' });
    t.strictSame(second?.event.sourceLabels, { app: 'crm' }, 'with labels first seen when it failed');
    t.strictSame(await ledger.cursors('edge-1', '/deny.log'), [cursorAt(20)]);
    t.match(ledger.sums().totals, [{ point: 'edge-1', object: 'order-front', reason: 'unknown-source', count: 2 }]);
  });

  t.test('the cursor that was moved last comes first, each by its file and log', async (t) => {
    const place = make(t);
    const ledger = await place.open();
    const old = cursorAt(10, { inode: '7', state: 'done', skipping: true });
    await ledger.store(batchOf([], { cursors: [{ from: null, cursor: old }] }));
    await ledger.store(batchOf([], { storedMs: t0 + 1, cursors: [{ from: null, cursor: cursorAt(3) }] }));
    await ledger.store(batchOf([], { log: '/other.log', cursors: [{ from: null, cursor: cursorAt(4) }] }));
    t.strictSame(await (await place.open()).cursors('edge-1', '/deny.log'), [cursorAt(3), old]);
    t.strictSame(await ledger.cursors('edge-2', '/deny.log'), []);
  });

  t.test('of two that store from one cursor, one does', async (t) => {
    const place = make(t);
    const ledgers = [await place.open(), await place.open()];
    const batch = (ref: string) => batchOf([eventOf({ ref })], { cursors: [{ from: null, cursor: cursorAt(10) }] });
    const results = await Promise.allSettled(ledgers.map((ledger, i) => ledger.store(batch(`r${i}`))));
    t.strictSame(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    for (const ledger of ledgers) t.equal((await refsIn(ledger)).length, 1);
  });

  t.test(
    "the last hundred unreadable lines of each point are kept, whatever another one's are; all are counted",
    async (t) => {
      const ledger = await make(t).open();
      const lines = (name: string, many: number) =>
        Array.from({ length: many }, (_, i) => ({ cause: 'not-json' as const, sample: `${name} ${i}` }));
      await ledger.store(batchOf([], { point: 'edge-2', unparsed: lines('quiet', 2) }));
      await ledger.store(batchOf([], { unparsed: lines('line', 130) }));
      await ledger.store(batchOf([], { unparsed: lines('more', 7) }));
      t.strictSame(ledger.sums().unparsed, [
        { point: 'edge-1', cause: 'not-json', count: 137 },
        { point: 'edge-2', cause: 'not-json', count: 2 },
      ]);
      const samples = (await ledger.quarantined()).map((line) => line.sample);
      t.strictSame(samples, [
        ...lines('quiet', 2).map(({ sample }) => sample),
        ...lines('line', 130)
          .map(({ sample }) => sample)
          .slice(37),
        ...lines('more', 7).map(({ sample }) => sample),
      ]);
    },
  );

  t.test('places where lines may have been lost are kept as long as events, and their number for ever', async (t) => {
    const place = make(t);
    const ledger = await place.open();
    const losses = ['7', '8', '9'].map((inode) => ({ cause: 'gone' as const, inode, offset: 1 }));
    await ledger.store(batchOf([], { storedMs: t0 - 2 * dayMs, losses }));
    await ledger.store(batchOf([], { losses: [{ cause: 'truncated', inode: '9', offset: 3 }] }));
    const sums = [
      { point: 'edge-1', cause: 'gone', count: 3 },
      { point: 'edge-1', cause: 'truncated', count: 1 },
    ];
    t.strictSame(ledger.sums().losses, sums);
    t.equal(await ledger.prune(eventsBefore(t0 - dayMs), 2), 2, 'in steps');
    t.equal(await ledger.prune(eventsBefore(t0 - dayMs), 2), 1);
    t.equal(await ledger.prune(eventsBefore(t0 - dayMs), 2), 0, 'the newer one stays');
    t.strictSame((await ledger.readSums()).losses, sums);
    await ledger.store(batchOf([], { losses }));
    t.match(ledger.sums().losses, [{ count: 6 }, { count: 1 }]);
  });

  t.test('retention deletes what was stored on days before, in steps, and sums stay', async (t) => {
    const place = make(t);
    const ledger = await place.open();
    const events = Array.from({ length: 5 }, (_, i) => eventOf({ ref: `old-${i}`, t: t0 + 20 * dayMs }));
    await ledger.store(batchOf(events, { storedMs: t0 - 2 * dayMs }));
    await ledger.store(batchOf([eventOf({ ref: 'new', t: t0 - 20 * dayMs })]));
    const before = (await ledger.readSums()).totals;
    for (let i = 0; i < 10 && (await ledger.prune(eventsBefore(t0 - dayMs + 1), 3)) > 0; i += 1);
    t.strictSame(await refsIn(ledger), ['new'], 'by when it was stored, whatever the clock of the point said');
    t.strictSame((await ledger.readSums()).totals, before);
    for (let i = 0; i < 10 && (await ledger.prune(eventsBefore(t0 + 2 * dayMs), 3)) > 0; i += 1);
    t.strictSame(await refsIn(ledger), []);
    const [next] = await (await place.open()).store(batchOf([eventOf({})]));
    t.equal(next?.id, 7, 'an id is never given again');
  });

  t.test('its epoch is made with it and kept for ever, by whoever opens it', async (t) => {
    const [place, another] = [make(t), make(t)];
    const { epoch } = await place.open();
    t.match(epoch, /^[0-9a-f]{32}$/);
    const again = await place.open();
    await again.store(batchOf([eventOf({})]));
    await again.close();
    t.equal((await place.open()).epoch, epoch);
    t.not((await another.open()).epoch, epoch);
  });
}
