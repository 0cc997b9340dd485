/** `GET /v1/denials`: what is asked for is answered, page by page, and nothing is left out or told twice. */
import t from 'tap';
import type { DenyEvent } from '../../src/deny-event.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { checkSearch } from '../../src/ledger/search.ts';
import { t0 } from '../kit.ts';
import { batchOf, eventOf } from '../ledger/fixtures.ts';
import { type ApiStage, openApi, token } from './api-stage.ts';

const at = (ref: string, ms: number, fields: Partial<DenyEvent> = {}): DenyEvent => ({
  ...eventOf({ ref, t: t0 + ms }),
  sourceLabels: {},
  ...fields,
});

const crm = { sourceLabels: { app: 'billing,crm', env: 'dev' } };
const events = [
  at('a', 0, { source: '10.1.2.3', ...crm }),
  at('b', 1_000, { source: '10.1.3.4', object: 'reports' }),
  at('c', 2_000, { source: '2001:db8::5', verdict: 'would-deny', objectLabels: { 'example.com/tier': 'a=b' } }),
  at('d', 3_000, { source: '10.200.0.1', rule: 'no-bots', reason: 'denied-by-rule', ...crm }),
  { ...at('e', 4_000), point: 'edge-2' },
];

const refsOf = async ({ ask }: ApiStage, query: string): Promise<string> =>
  (await ask('Denials', `/v1/denials?${query}`)).denials.map(({ ref }) => ref).join('');

t.test('denials are found by what is given, and all of it has to hold', async (t) => {
  const stage = await openApi(t);
  await stage.ledger.store(batchOf(events));
  const table: [query: string, refs: string, why: string][] = [
    ['', 'abcde', 'the newest, listed oldest first'],
    ['limit=2', 'de', 'the newest'],
    ['limit=2&order=newest', 'ed', 'in that order'],
    ['limit=2&order=oldest', 'ab', 'from the other end'],
    [`sinceMs=${t0 + 1_000}&limit=2`, 'bc', 'oldest first from a time on'],
    [`untilMs=${t0 + 3_000}&limit=2`, 'bc', 'the newest before a time'],
    ['after=3', 'de', 'what was stored after an id'],
    ['source=10.1.2.3', 'a', 'an address'],
    ['source=::ffff:10.1.2.3', 'a', 'however it is written'],
    ['source=10.1.0.0/16', 'ab', 'a network'],
    ['label=source.app=crm', 'ad', 'one of several values'],
    ['label=source.app=crm&label=source.env=prod', '', 'both labels'],
    ['label=source.env=dev&label=object.app=shop', 'ad', 'labels of both ends'],
    ['label=object.example.com/tier=a=b', 'c', 'a key with a prefix, a value with the sign'],
    ['label=source.__proto__=x', '', 'no label by that name'],
    ['rule=no-bots', 'd', 'a rule'],
    ['rule=', 'abce', 'no rule'],
    ['reason=denied-by-rule', 'd', 'a reason'],
    ['verdict=would-deny', 'c', 'a verdict'],
    ['object=reports', 'b', 'an object'],
    ['point=edge-2', 'e', 'a point'],
    ['ref=c', 'c', 'a reference'],
    [`object=${encodeURIComponent("x' OR 1=1 --")}`, '', 'no words of a database'],
    [`object=%00`, '', 'nor of a programming language'],
  ];
  for (const [query, refs, why] of table) t.equal(await refsOf(stage, query), refs, `${query}: ${why}`);
});

t.test("what can't be read is refused, and told with what is accepted", async (t) => {
  const { get } = await openApi(t);
  const table: [query: string, says: RegExp][] = [
    ['limit=0', /'limit' is "0", and must be a whole number from 1 to 10000/],
    ['limit=10001', /'limit' is "10001"/],
    ['sinceMs=1.5', /'sinceMs' is "1.5", and must be a whole number/],
    ['sinceMs=99999999999999999', /'sinceMs'/],
    ['after=-1', /'after' is "-1"/],
    ['after=1&after=2', /'after' is "1, 2", and must be given once/],
    ['after=1&order=newest', /'order' is "newest", and must be oldest, or left out/],
    ['after=1&cursor=b2xkZXN0IDE', /'after' is "1", and must be left out/],
    ['cursor=b2xkZXN0IDE', /'cursor' is "b2xkZXN0IDE", and must be what a page of the newest first gave/],
    ['cursor=%00', /'cursor'/],
    ['order=up', /'order' is "up", and must be one of oldest, newest/],
    ['source=shop', /'source' is "shop", and must be an address/],
    ['source=10.0.0.1/8', /'source' is "10.0.0.1\/8"/],
    ['label=app=crm', /'label' is "app=crm", and must be a label of one end, as in source.env=prod/],
    ['label=source.a=1&label=source.b', /'label' is "source.b"/],
    [Array.from({ length: 17 }, (_, i) => `label=source.a=${i}`).join('&'), /'label'.* must be at most 16 labels/],
    ['reason=because', /'reason' is "because", and must be one of no-policy, /],
    ['verdict=allow', /'verdict'/],
    [`object=${'x'.repeat(1_025)}`, /'object'.* at most 1024 characters/],
    ['sourc=10.0.0.1', /there is no parameter "sourc" here/],
    ['__proto__=1', /there is no parameter "__proto__" here/],
  ];
  for (const [query, says] of table) {
    const { status, json } = await get(`/v1/denials?${query}`);
    t.match({ status, json }, { status: 400, json: { error: { code: 'EDW_ERR_QUERY', message: says } } }, query);
  }
  for (const path of ['/v1/denials', '/v1/denials/summary', '/v1/edges', '/v1/why/@1']) {
    for (const wrong of [null, 'wrong', `${token}x`]) t.equal((await get(path, wrong)).status, 401, path);
  }
});

const filler = (count: number): DenyEvent[] =>
  Array.from({ length: count }, (_, i) => at(`f${i}`, 5_000 + i, { object: i % 100 === 0 ? 'rare' : 'frequent' }));

t.test('pages leave nothing out and tell nothing twice, while denials are stored', async (t) => {
  const { ledger, ask } = await openApi(t);
  await ledger.store(batchOf(filler(2_500)));
  const told = Array.from({ length: 2_500 }, (_, i) => `f${i}`);
  for (const [query, expected] of [
    ['order=oldest', told],
    ['order=newest', told.toReversed()],
  ] as const) {
    const refs: (string | null)[] = [];
    let cursor = '';
    for (let pages = 0; pages < 10; pages += 1) {
      const page = await ask('Denials', `/v1/denials?limit=1200&${query}${cursor}`);
      refs.push(...page.denials.map(({ ref }) => ref));
      if (page.cursor === null) break;
      cursor = `&cursor=${page.cursor}`;
      if (query === 'order=newest') await ledger.store(batchOf([at('later', 9_000)]));
    }
    t.strictSame(refs, expected, query);
  }
  const all = await ask('Denials', '/v1/denials?limit=10000');
  t.equal(all.denials.length, 2_502, 'ten thousand at once, though a ledger gives a thousand');
});

/** Every search ends early, with at most one event. */
const slow = (ledger: Ledger): Ledger => ({
  ...ledger,
  async search(search) {
    const page = await ledger.search({ ...search, limit: 1 });
    return { ...page, isCutShort: page.cursor !== null };
  },
});

t.test('a search that is cut short says so, and its cursor goes on', async (t) => {
  const { ledger, ask } = await openApi(t, {}, slow);
  await ledger.store(batchOf(events));
  for (const [query, refs] of [
    ['order=oldest', 'abcde'],
    ['order=newest', 'edcba'],
    ['source=10.0.0.0/8', 'edba'],
  ] as const) {
    let [told, cursor] = ['', ''];
    for (let pages = 0; pages < 10; pages += 1) {
      const page = await ask('Denials', `/v1/denials?${query}${cursor}`);
      told += page.denials.map(({ ref }) => ref).join('');
      t.equal(page.cutShort, page.cursor !== null, query);
      if (page.cursor === null) break;
      cursor = `&cursor=${page.cursor}`;
    }
    t.equal(told, refs, query);
  }
  const { after } = await ask('Denials', '/v1/denials?after=1');
  t.equal(after, 2, 'whoever follows goes on behind what was looked at, and not behind the rest');
});

t.test('where events are large there are fewer on a page, and its cursor goes on', async (t) => {
  const { ledger, ask } = await openApi(t);
  const large = { sourceLabels: { app: 'x'.repeat(20_000) } };
  await ledger.store(batchOf(Array.from({ length: 1_100 }, (_, i) => at(`r${i}`, i, large))));
  for (const order of ['oldest', 'newest']) {
    const query = `/v1/denials?limit=10000&order=${order}`;
    const first = await ask('Denials', query);
    const second = await ask('Denials', `${query}&cursor=${first.cursor}`);
    t.strictSame([first.denials.length, second.denials.length, second.cursor], [1_000, 100, null], order);
    const refs = [...first.denials, ...second.denials].map(({ ref }) => ref);
    t.equal(new Set(refs).size, 1_100, 'each of them once');
  }
});

t.test('whoever follows sees each denial once, and looks at what does not match once', async (t) => {
  const asked: (string | undefined)[] = [];
  const { ledger, ask } = await openApi(t, {}, (ledger) => ({
    ...ledger,
    search(search) {
      asked.push(search.cursor);
      return ledger.search(search);
    },
  }));
  const first = await ask('Denials', '/v1/denials?object=rare&limit=1');
  t.strictSame([first.denials, first.after], [[], 0], 'of an empty ledger everything is new');
  await ledger.store(batchOf(filler(300)));
  const second = await ask('Denials', `/v1/denials?object=rare&after=${first.after}`);
  t.strictSame([second.denials.map(({ ref }) => ref), second.after], [['f0', 'f100', 'f200'], 300]);
  const third = await ask('Denials', `/v1/denials?object=rare&after=${second.after}`);
  t.strictSame([third.denials, third.after], [[], 300]);
  await ledger.store(batchOf([at('new', 10_000, { object: 'rare' })]));
  const fourth = await ask('Denials', `/v1/denials?object=rare&after=${third.after}`);
  t.strictSame([fourth.denials.map(({ ref }) => ref), fourth.after], [['new'], 301]);
  const tail = await ask('Denials', '/v1/denials?object=none');
  t.equal(tail.after, 301, 'also where nothing was found');
  const from = asked.slice(1, 4).map((cursor) => checkSearch({ cursor, order: 'oldest' }).after);
  t.strictSame(from, [0, 300, 300], 'the ledger is asked for nothing a second time');
  const last = await ask('Denials', '/v1/denials?after=9000');
  t.equal(last.after, 9_000, 'it never goes back');
});

t.test('what a point counted and has no record of comes with the first page, for its time and its point', async (t) => {
  const { ledger, ask } = await openApi(t);
  const window = (seq: number, startMs: number, count: number) => {
    const [windowStart, windowEnd] = [startMs, startMs + 1_000].map((ms) => new Date(t0 + ms).toISOString());
    const gap = { kind: 'gap' as const, seq, cause: 'netlink' as const, count, windowStart: windowStart ?? '' };
    return { seq, gap: { ...gap, windowEnd: windowEnd ?? '' } };
  };
  const records = [window(1, 0, 5), window(2, 60_000, 7)];
  await ledger.storeSpooled({ point: 'host-1', epoch: 'e', storedMs: t0, records });
  await ledger.store(batchOf([at('a', 30_000)]));
  const counts = async (query: string): Promise<number[]> =>
    (await ask('Denials', `/v1/denials?${query}`)).uncovered.map(({ count }) => count);
  t.strictSame(await counts('sinceMs=0'), [12]);
  t.strictSame(await counts(''), [7], 'since the first denial of the answer');
  t.strictSame(await counts(`sinceMs=${t0 + 120_000}`), []);
  t.strictSame(await counts('sinceMs=0&point=host-1'), [12]);
  t.strictSame(await counts('sinceMs=0&point=edge-1'), []);
  t.strictSame(await counts(`sinceMs=${t0 + 30_000}&untilMs=${t0 + 40_000}`), [], 'began later');
  t.strictSame(await counts('after=0'), [], 'a page that follows another one tells them no second time');
});
