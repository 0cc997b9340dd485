/** Rollups and edges: they add up to the events and the totals, and grow to a bound. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Test } from 'tap';
import type { DenyEvent } from '../../src/deny-event.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { rollupBounds } from '../../src/ledger/rollups.ts';
import { epochs } from '../host-records.ts';
import { search, t0 } from '../kit.ts';
import { batchOf, eventOf, type MakeLedger } from './fixtures.ts';

const [epoch] = epochs;
const minuteMs = 60_000;
const iso = (ms: number): string => new Date(ms).toISOString();

const counted = (fields: Partial<DenyEvent>, count = 1): DenyEvent => ({ ...eventOf({}), count, ...fields });
const sum = (rows: readonly { count: number }[]): number => rows.reduce((all, { count }) => all + count, 0);

export function rollupConformance(t: Test, make: MakeLedger): void {
  t.test('denials are counted by minute and hour of the end of their window, and by both ends', async (t) => {
    const place = make(t);
    const ledger = await place.open();
    const windowed = { windowStart: iso(t0 - 90_000), windowEnd: iso(t0 + 59_999), time: iso(t0 + 59_999) };
    const crm = { sourceLabels: { app: 'crm', env: 'prod' }, objectLabels: { app: 'shop' } };
    await ledger.store(batchOf([counted({ ...crm, ...windowed, revision: 9 }, 40), counted(crm)]));
    await ledger.store(batchOf([counted({ sourceLabels: {}, rule: 'no-bots', reason: 'denied-by-rule' })]));
    const late = { windowStart: iso(t0 - 3_700_000), windowEnd: iso(t0 - 3_600_001), revision: 7 };
    await ledger.store(batchOf([counted({ ...crm, ...late, sourceLabels: { env: 'prod', app: 'crm' } }, 2)]));
    const minute = { point: 'edge-1', object: 'order-front', verdict: 'deny' };
    const unknown = { ...minute, rule: '', reason: 'unknown-source' };
    for (const other of [ledger, await place.open()]) {
      t.strictSame(
        await other.minutes({}),
        [
          { ...unknown, minuteMs: t0 - 61 * minuteMs, count: 2, firstMs: t0 - 3_700_000, lastMs: t0 - 3_600_001 },
          { ...unknown, minuteMs: t0, count: 41, firstMs: t0 - 90_000, lastMs: t0 + 59_999 },
          { ...minute, rule: 'no-bots', reason: 'denied-by-rule', minuteMs: t0, count: 1, firstMs: t0, lastMs: t0 },
        ].toSorted((a, b) => a.minuteMs - b.minuteMs || (a.rule < b.rule ? 1 : -1)),
      );
      t.match(
        (await other.hours({})).map(({ hourMs, count, sourceLabels }) => [hourMs, count, sourceLabels]).toSorted(),
        [
          [t0 - 2 * 3_600_000, 2, crm.sourceLabels],
          [t0, 1, {}],
          [t0, 41, crm.sourceLabels],
        ].toSorted(),
      );
      t.strictSame(await other.edges({}), [
        {
          object: 'order-front',
          port: 'tcp/443',
          count: 1,
          firstMs: t0,
          lastMs: t0,
          firstRevision: 12,
          sourceLabels: {},
        },
        {
          ...{ object: 'order-front', port: 'tcp/443', count: 43 },
          ...{ firstMs: t0 - 3_700_000, lastMs: t0 + 59_999, firstRevision: 7, sourceLabels: crm.sourceLabels },
        },
      ]);
    }
    t.equal((await ledger.minutes({ sinceMs: t0 + 30_000 })).length, 2, 'the minute that is under way');
    t.equal((await ledger.minutes({ untilMs: t0 })).length, 1);
    t.equal((await ledger.minutes({ point: 'edge-2' })).length, 0);
    t.equal((await ledger.hours({ limit: 1 }))[0]?.hourMs, t0, 'the latest');
  });

  t.test('rollups, events and totals add up to the same, in any order, with repeats, in any batches', async (t) => {
    const holds = fc.asyncProperty(fc.array(fc.array(sent, { maxLength: 6 }), { maxLength: 6 }), async (batches) => {
      const ledger = await make(t).open();
      for (const batch of batches) {
        const records = batch.map(({ seq, ...fields }) => ({ seq, event: eventBy(seq, fields) }));
        await ledger.storeSpooled({ point: 'host-1', epoch, storedMs: t0, records });
      }
      await addsUp(ledger);
      await ledger.close();
    });
    await fc.assert(holds, search(t, make.runs ?? 60));
    t.pass('always');
  });

  t.test('a clock that is days ahead makes no row that stays for ever, and changes no event', async (t) => {
    const ledger = await make(t).open();
    const far = ['9999-12-31T23:59:00.000Z', '2999-01-01T00:00:00.000Z', iso(t0 + 25 * 3_600_000)];
    const ahead = iso(t0 + 3_600_000);
    const times = [ahead, ...far].map((time) => ({ time, windowStart: time, windowEnd: time }));
    await ledger.store(batchOf(times.map((time) => counted(time))));
    await ledger.store(batchOf([counted({ windowStart: iso(t0 - 1), windowEnd: far[0] ?? '' })]));
    const minutes = (await ledger.minutes({})).map(({ minuteMs: at, count, firstMs }) => [at, count, firstMs]);
    t.strictSame(minutes, [
      [t0, 4, t0 - 1],
      [t0 + 3_600_000, 1, t0 + 3_600_000],
    ]);
    const denials = await ledger.denials({});
    t.strictSame(
      denials.slice(0, 4).map(({ event }) => event.time),
      [ahead, ...far],
    );
    const beforeMs = t0 + 48 * 3_600_000;
    for (let i = 0; i < 4; i += 1) await ledger.prune({ eventsBeforeMs: beforeMs, rollupsBeforeMs: beforeMs }, 1_000);
    const left = [await ledger.minutes({}), await ledger.hours({}), await ledger.edges({})];
    t.strictSame(left, [[], [], []], 'retention takes all of it');
  });

  t.test('a batch that fails is in no rollup, and what it named first is named later', async (t) => {
    const ledger = await make(t).open();
    const labelled = counted({ sourceLabels: { app: 'new' }, object: 'new', rule: 'new' });
    await t.rejects(ledger.store(batchOf([labelled, { ...eventOf({}), revision: 1.5 }])));
    t.strictSame([await ledger.minutes({}), await ledger.hours({}), await ledger.edges({})], [[], [], []]);
    await ledger.store(batchOf([labelled]));
    t.match(await ledger.hours({}), [{ object: 'new', rule: 'new', sourceLabels: { app: 'new' } }]);
    await addsUp(ledger);
  });

  t.test('names and label sets past their bound are other, and nothing is left uncounted', async (t) => {
    const ledger = await make(t).open();
    const most = rollupBounds.names;
    const named = (i: number): DenyEvent =>
      counted({ object: `object-${i}`, rule: `rule-${i}`, sourceLabels: { n: String(i) } });
    const all = Array.from({ length: most + 50 }, (_, i) => named(i));
    for (const _ of ['once', 'again']) await ledger.store(batchOf(all));
    const minutes = await ledger.minutes({});
    t.equal(minutes.length, most + 1);
    t.match(
      minutes.find(({ object }) => object === 'other'),
      { rule: 'other', count: 100 },
    );
    t.equal(sum(minutes), 2 * all.length);
    t.equal(new Set((await ledger.edges({})).map(({ object }) => object)).size, most + 1);
    await addsUp(ledger);
  });

  t.test('rollups stay longer than events, and what retention takes makes room for other names', async (t) => {
    const ledger = await make(t).open();
    const old = { windowStart: iso(t0 - 9 * 86_400_000), windowEnd: iso(t0 - 9 * 86_400_000) };
    await ledger.store(batchOf([counted({ ...old, object: 'old', sourceLabels: { app: 'old' } }), counted({})]));
    const retention = { eventsBeforeMs: t0 + 2 * 86_400_000, rollupsBeforeMs: t0 - 86_400_000 };
    for (let i = 0; i < 20 && (await ledger.prune(retention, 1)) > 0; i += 1);
    t.strictSame(await ledger.denials({}), []);
    t.match([await ledger.minutes({}), await ledger.hours({})], [{ length: 1 }, { length: 1 }]);
    t.match(await ledger.edges({}), [{ object: 'order-front' }]);
    t.equal(sum(ledger.sums().totals), 2);
    await ledger.store(batchOf([counted({ object: 'old', sourceLabels: { app: 'old' } })]));
    t.match(await ledger.edges({ object: 'old' }), [{ sourceLabels: { app: 'old' }, count: 1, firstMs: t0 }]);
  });
}

const sent = fc.record({
  seq: fc.integer({ min: 1, max: 20 }),
  count: fc.integer({ min: 1, max: 1_000 }),
  object: fc.constantFrom('a', 'b', '__proto__'),
  rule: fc.constantFrom(null, 'r', ''),
  port: fc.constantFrom('tcp/443', 'udp/53'),
  verdict: fc.constantFrom('deny' as const, 'would-deny' as const),
  app: fc.constantFrom(null, 'x', 'y'),
  endMs: fc.integer({ min: -4_000_000, max: 4_000_000 }),
  lengthMs: fc.integer({ min: 0, max: 100_000 }),
  revision: fc.integer({ min: 0, max: 3 }),
});

function eventBy(seq: number, fields: Omit<typeof sent extends fc.Arbitrary<infer Of> ? Of : never, 'seq'>): DenyEvent {
  const { app, endMs, lengthMs, ...plain } = fields;
  const [windowStart, windowEnd] = [iso(t0 + endMs - lengthMs), iso(t0 + endMs)];
  const sourceLabels: Record<string, string> = app === null ? {} : { app };
  return {
    ...eventOf({}, 'host-1'),
    ...plain,
    ...{ sourceLabels, windowStart, windowEnd, time: windowEnd, ref: `${seq}` },
  };
}

/** By what each sum is of, made again from the events. */
async function addsUp(ledger: Ledger): Promise<void> {
  const events = (await ledger.denials({ limit: 10_000 })).map(({ event }) => event);
  const [minutes, hours, edges] = [await ledger.minutes({}), await ledger.hours({}), await ledger.edges({})];
  const all = sum(events);
  assert.deepEqual([sum(minutes), sum(hours), sum(edges), sum(ledger.sums().totals)], [all, all, all, all]);
  for (const row of minutes.filter(({ object }) => object !== 'other')) {
    const own = events.filter(
      ({ object, rule, verdict, windowEnd }) =>
        object === row.object &&
        (rule ?? '') === row.rule &&
        verdict === row.verdict &&
        Math.floor(Date.parse(windowEnd) / minuteMs) * minuteMs === row.minuteMs,
    );
    assert.deepEqual([row.count, row.firstMs, row.lastMs], [sum(own), firstOf(own), lastOf(own)]);
  }
  for (const edge of edges.filter(({ object }) => object !== 'other')) {
    const labels = JSON.stringify(edge.sourceLabels);
    const own = events.filter(
      ({ object, port, sourceLabels }) =>
        object === edge.object && port === edge.port && JSON.stringify(sourceLabels) === labels,
    );
    const revisions = own
      .filter(({ windowStart }) => Date.parse(windowStart) === edge.firstMs)
      .map((it) => it.revision);
    assert.deepEqual(edge, {
      ...{ object: edge.object, port: edge.port, sourceLabels: edge.sourceLabels, count: sum(own) },
      ...{ firstMs: firstOf(own), lastMs: lastOf(own), firstRevision: Math.min(...revisions) },
    });
  }
}

const firstOf = (events: readonly DenyEvent[]): number => Math.min(...events.map((it) => Date.parse(it.windowStart)));
const lastOf = (events: readonly DenyEvent[]): number => Math.max(...events.map((it) => Date.parse(it.windowEnd)));
