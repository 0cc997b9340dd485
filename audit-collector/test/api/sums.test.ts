/** Sums, edges and references over HTTP: they add up to the events, and say where they don't. */
import t from 'tap';
import type { DenyEvent } from '../../src/deny-event.ts';
import { t0 } from '../kit.ts';
import { batchOf, eventOf } from '../ledger/fixtures.ts';
import { openApi } from './api-stage.ts';

const minuteMs = 60_000;
const at = (minute: number, count: number, fields: Partial<DenyEvent> = {}): DenyEvent => ({
  ...eventOf({ t: t0 + minute * minuteMs }),
  sourceLabels: { app: 'crm' },
  count,
  ...fields,
});

const events = [
  at(0, 1),
  at(0, 10, { object: 'reports', rule: 'no-bots', reason: 'denied-by-rule' }),
  at(1, 100, { sourceLabels: {} }),
  at(59, 1_000, { verdict: 'would-deny' }),
  { ...at(60, 10_000), point: 'edge-2' },
];

t.test('a summary adds up, by minute with points and by hour with labels', async (t) => {
  const { ledger, ask } = await openApi(t, { now: () => t0 + 90 * minuteMs });
  await ledger.store(batchOf(events));
  const byHour = await ask('Summary', '/v1/denials/summary');
  t.strictSame(byHour, {
    per: 'hour',
    sinceMs: t0 + 90 * minuteMs - 86_400_000,
    untilMs: null,
    count: 11_111,
    times: [
      { time: '2026-11-22T10:00:00.000Z', count: 1_111 },
      { time: '2026-11-22T11:00:00.000Z', count: 10_000 },
    ],
    reasons: [
      { reason: 'unknown-source', verdict: 'deny', count: 10_101 },
      { reason: 'unknown-source', verdict: 'would-deny', count: 1_000 },
      { reason: 'denied-by-rule', verdict: 'deny', count: 10 },
    ],
    rules: [
      { rule: null, count: 11_101 },
      { rule: 'no-bots', count: 10 },
    ],
    objects: [
      { object: 'order-front', count: 11_101 },
      { object: 'reports', count: 10 },
    ],
    points: null,
    sources: [
      { labels: { app: 'crm' }, count: 11_011 },
      { labels: {}, count: 100 },
    ],
    cutShort: false,
  });
  const byMinute = await ask('Summary', `/v1/denials/summary?per=minute&sinceMs=${t0}&top=1`);
  t.match(byMinute, { count: 11_111, sources: null, points: [{ point: 'edge-2', count: 10_000 }] });
  t.strictSame(
    byMinute.times.map(({ time, count }) => `${time.slice(11, 16)} ${count}`),
    ['10:00 11', '10:01 100', '10:59 1000', '11:00 10000'],
  );
  t.equal(byMinute.objects.length, 1);
  const table: [query: string, count: number][] = [
    ['point=edge-1', 1_000],
    ['per=minute', 11_000],
    [`per=minute&sinceMs=${t0 + minuteMs}&untilMs=${t0 + 2 * minuteMs}`, 100],
    [`per=minute&sinceMs=${t0 + 30_000}&object=reports`, 10],
    [`object=reports`, 10],
    [`untilMs=${t0 + 60 * minuteMs}`, 1_111],
  ];
  for (const [query, count] of table) {
    t.equal((await ask('Summary', `/v1/denials/summary?${query}`)).count, count, query);
  }
});

t.test('a summary of what is not kept is refused', async (t) => {
  const { get } = await openApi(t);
  for (const query of ['per=hour&point=edge-1', 'per=day', 'top=0', 'limit=10']) {
    const answer = await get(`/v1/denials/summary?${query}`);
    t.match(answer, { status: 400, json: { error: { code: 'EDW_ERR_QUERY' } } }, query);
  }
});

t.test('edges say who was denied where, since when and how often', async (t) => {
  const { ledger, ask } = await openApi(t);
  await ledger.store(batchOf(events));
  const told = async (query: string): Promise<string[]> => {
    const { edges } = await ask('Edges', `/v1/edges?${query}`);
    return edges.map(({ sourceLabels, object, count, firstSeen, lastSeen }) =>
      [sourceLabels?.app ?? '-', object, count, firstSeen.slice(11, 16), lastSeen.slice(11, 16)].join(' '),
    );
  };
  const [reports, nobody, crm] = [
    'crm reports 10 10:00 10:00',
    '- order-front 100 10:01 10:01',
    'crm order-front 11001 10:00 11:00',
  ];
  t.strictSame(await told(''), [reports, nobody, crm]);
  t.strictSame(await told(`sinceMs=${t0 + 2 * minuteMs}`), [crm]);
  t.strictSame(await told(`firstSinceMs=${t0 + minuteMs}`), [nobody], 'that were new then');
  t.strictSame(await told('object=reports'), [reports]);
  t.strictSame(await told('limit=1'), [crm]);
  t.strictSame((await ask('Edges', '/v1/edges?limit=1')).cutShort, true);
  t.strictSame((await ask('Edges', '/v1/edges')).cutShort, false);
});

t.test('a reference leads to its event, and to what the policy says now where somebody knows it', async (t) => {
  const now = {
    ...{ verdict: 'allow' as const, reason: 'allowed-by-rule' as const, rule: 'r', revision: 13, mode: null },
    ...{ object: 'order-front', objectLabels: {}, nearestRule: null, missed: null, words: 'ALLOW' },
    source: { address: '10.9.9.9', workloads: [], networks: [], labels: {} },
  };
  const [knowing, unknowing] = [await openApi(t, { explain: () => now }), await openApi(t)];
  for (const { ledger } of [knowing, unknowing]) {
    await ledger.store(batchOf([eventOf({ ref: 'whole' }), eventOf({ ref: 'cut', truncated: true })]));
  }
  t.match(await knowing.ask('Why', '/v1/why/whole'), { event: { id: 1, ref: 'whole' }, judgedAt: 12, now });
  t.match(await knowing.ask('Why', '/v1/why/@2'), { event: { ref: 'cut' }, now: null }, 'half a request is not judged');
  t.match(await unknowing.ask('Why', '/v1/why/whole'), { event: { ref: 'whole' }, now: null });
  for (const ref of ['none', '@3', '@', '@1x', '%00', '@999999999999999999999']) {
    const answer = await knowing.get(`/v1/why/${ref}`);
    t.match(answer, { status: 404, json: { error: { code: 'EDW_ERR_UNKNOWN_REFERENCE' } } }, ref);
  }
});

t.test('whatever points claim, a summary is what an answer may be', async (t) => {
  const { ledger, ask } = await openApi(t, { now: () => t0 + 90 * minuteMs });
  const most = Number.MAX_SAFE_INTEGER;
  await ledger.store(batchOf(['crm', 'shop', 'erp'].map((app) => at(0, most, { sourceLabels: { app } }))));
  const { count, times, reasons, sources } = await ask('Summary', '/v1/denials/summary');
  t.strictSame([count, times[0]?.count, reasons[0]?.count, sources?.length], [most, most, most, 3]);
});
