/** Search: what is found is what holds, once, whatever the pages, the days and the text. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Test } from 'tap';
import type { DenyEvent } from '../../src/deny-event.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { DenialSearch } from '../../src/ledger/search.ts';
import { search, t0 } from '../kit.ts';
import { batchOf, eventOf, type MakeLedger } from './fixtures.ts';

const dayMs = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString();

/** References of every page until there is no more. */
async function pagesOf(ledger: Ledger, asked: DenialSearch): Promise<string[]> {
  const refs: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 200; pages += 1) {
    const page = await ledger.search({ ...asked, cursor });
    refs.push(...page.denials.map(({ event }) => event.ref ?? ''));
    if (page.cursor === null) return refs;
    ({ cursor } = page);
  }
  throw new Error('pages without end');
}

export function searchConformance(t: Test, make: MakeLedger): void {
  t.test('denials are found by either end, by what decided and by when', async (t) => {
    const ledger = await make(t).open();
    const at = (ref: string, ms: number, fields: Partial<DenyEvent> = {}): DenyEvent => ({
      ...eventOf({ ref, t: t0 + ms }),
      sourceLabels: {},
      ...fields,
    });
    const crm = { sourceLabels: { app: 'billing,crm', env: 'prod' } };
    await ledger.store(batchOf([at('a', 0, { source: '10.1.2.3', ...crm }), at('b', 1_000, { source: '10.1.3.4' })]));
    const next = [
      at('c', 2_000, { source: '2001:db8::5', verdict: 'would-deny', objectLabels: { app: 'crm' } }),
      at('d', 3_000, { source: '10.200.0.1', rule: 'no-bots', reason: 'denied-by-rule', ...crm }),
    ];
    await ledger.store(batchOf(next, { storedMs: t0 + dayMs }));
    await ledger.store(batchOf([{ ...at('e', 4_000, { source: '', object: 'x' }), point: 'edge-2' }]));
    const label = (end: 'source' | 'object', key: string, value: string) => ({ labels: [{ end, key, value }] });
    const table: [asked: DenialSearch, refs: string][] = [
      [{}, 'edcba'],
      [{ order: 'oldest' }, 'abcde'],
      [{ source: '10.1.2.3' }, 'a'],
      [{ source: '::ffff:10.1.2.3' }, 'a'],
      [{ source: '10.1.0.0/16' }, 'ba'],
      [{ source: '10.1.2.0/23' }, 'ba'],
      [{ source: '10.0.0.0/8', order: 'oldest' }, 'abd'],
      [{ source: '::/0' }, 'c'],
      [{ source: '2001:DB8::/32' }, 'c'],
      [label('source', 'app', 'crm'), 'da'],
      [label('source', 'app', 'billing,crm'), 'da'],
      [label('source', 'app', 'cr'), ''],
      [label('object', 'app', 'crm'), 'c'],
      [label('source', '__proto__', 'crm'), ''],
      [{ labels: [...label('source', 'app', 'crm').labels, ...label('source', 'env', 'test').labels] }, ''],
      [{ labels: [...label('source', 'app', 'crm').labels, ...label('object', 'app', 'shop').labels] }, 'da'],
      [{ rule: 'no-bots' }, 'd'],
      [{ rule: '' }, 'ecba'],
      [{ rule: "' OR 1=1 --" }, ''],
      [{ reason: 'denied-by-rule' }, 'd'],
      [{ verdict: 'would-deny' }, 'c'],
      [{ object: 'x' }, 'e'],
      [{ point: 'edge-2' }, 'e'],
      [{ ref: 'c' }, 'c'],
      [{ sinceMs: t0 + 1_000, untilMs: t0 + 3_000 }, 'cb'],
      [{ sinceMs: t0 + 5_000 }, ''],
      [{ untilMs: t0 }, ''],
      [{ source: '10.0.0.0/8', sinceMs: t0 + 1, ...label('source', 'env', 'prod') }, 'd'],
    ];
    for (const [asked, refs] of table) {
      for (const limit of [1, 2, 100]) {
        t.equal((await pagesOf(ledger, { ...asked, limit })).join(''), refs, JSON.stringify({ ...asked, limit }));
      }
    }
  });

  t.test('in any order, with any pages and over any days, each that holds is found once', async (t) => {
    const holds = fc.asyncProperty(fc.array(stored, { maxLength: 6 }), asked, async (batches, asked) => {
      const ledger = await make(t).open();
      const all: DenyEvent[] = [];
      for (const { day, events } of batches) {
        const batch = events.map((fields, i) => eventBy(`${all.length + i}`, fields));
        await ledger.store(batchOf(batch, { storedMs: t0 + day * dayMs }));
        all.push(...batch);
      }
      const { source, sinceMs, rule, order } = asked;
      const expected = all.filter(
        (event) =>
          (source === undefined || event.source.startsWith('10.1.')) &&
          (sinceMs === undefined || Date.parse(event.time) >= sinceMs) &&
          (rule === undefined || (event.rule ?? '') === rule),
      );
      const refs = expected.map(({ ref }) => ref ?? '');
      assert.deepEqual(await pagesOf(ledger, asked), order === 'newest' ? refs.reverse() : refs);
      await ledger.close();
    });
    await fc.assert(holds, search(t, make.runs ?? 60));
    t.pass('always');
  });

  t.test('what is stored between two pages moves neither', async (t) => {
    const ledger = await make(t).open();
    const store = (...refs: string[]) => ledger.store(batchOf(refs.map((ref) => eventOf({ ref }))));
    await store('a', 'b', 'c', 'd');
    for (const [order, pages] of [
      ['newest', ['d,c', 'b,a']],
      ['oldest', ['a,b', 'c,d']],
    ] as const) {
      const first = await ledger.search({ order, limit: 2 });
      await store('new');
      const second = await ledger.search({ order, limit: 2, cursor: first.cursor ?? '' });
      const refs = [first, second].map(({ denials }) => denials.map(({ event }) => event.ref).join());
      t.strictSame(refs, pages, order);
    }
  });

  t.test('what makes no sense is refused with a code, and bounds hold', async (t) => {
    const ledger = await make(t).open();
    const cursor = 'bm90IG91cnM';
    for (const asked of [{ source: 'crm' }, { source: '10.1.2.3/8' }, { cursor }, { source: "1' OR 1=1" }]) {
      await t.rejects(ledger.search(asked), { code: 'EDW_ERR_QUERY', mend: String }, JSON.stringify(asked));
    }
    await ledger.store(batchOf(Array.from({ length: 1_200 }, (_, i) => eventOf({ ref: `r${i}` }))));
    t.equal((await ledger.search({ limit: 1e9 })).denials.length, 1_000);
    t.equal((await ledger.search({ limit: -3 })).denials.length, 1);
    const newest = await ledger.search({});
    t.equal(newest.denials.length, 100);
    const turned = { order: 'oldest' as const, cursor: newest.cursor ?? '' };
    await t.rejects(ledger.search(turned), { code: 'EDW_ERR_QUERY' }, 'a cursor of the other order');
  });
}

const fields = fc.record({
  source: fc.constantFrom('10.1.2.3', '10.1.9.9', '10.2.0.1', '2001:db8::1'),
  rule: fc.constantFrom(null, 'r'),
  offsetMs: fc.integer({ min: -5, max: 5 }),
});
const stored = fc.record({ day: fc.integer({ min: -2, max: 2 }), events: fc.array(fields, { maxLength: 5 }) });
const asked: fc.Arbitrary<DenialSearch> = fc.record({
  source: fc.constantFrom(undefined, '10.1.0.0/16'),
  rule: fc.constantFrom(undefined, 'r', ''),
  sinceMs: fc.constantFrom(undefined, t0 - 2, t0 + 2),
  order: fc.constantFrom('newest' as const, 'oldest' as const),
  limit: fc.integer({ min: 1, max: 7 }),
});

function eventBy(
  ref: string,
  { offsetMs, ...plain }: typeof fields extends fc.Arbitrary<infer Of> ? Of : never,
): DenyEvent {
  const time = iso(t0 + offsetMs);
  return { ...eventOf({ ref }), ...plain, time, windowStart: time, windowEnd: time };
}
