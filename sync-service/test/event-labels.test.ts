import type { DenyEvent } from '@edgeward/audit-collector';
import t, { type Test } from 'tap';
import { eventLabels, flowOf } from '../src/event-labels.ts';
import { changed, front, network, policy, rule, site, workload } from './fixtures/site.ts';
import { inMinutes, minuteMs, type Stage, stage } from './fixtures/stage.ts';

const event: DenyEvent = {
  v: 1,
  ref: 'abc',
  time: '2026-11-22T12:00:00.000Z',
  windowStart: '2026-11-22T12:00:00.000Z',
  windowEnd: '2026-11-22T12:00:00.000Z',
  count: 1,
  point: 'edge-1',
  object: 'order-front',
  objectLabels: {},
  source: '10.9.9.9',
  sourcePort: 40000,
  sourceWorkloads: [],
  sourceNetworks: [],
  sourceLabels: {},
  labelsRevision: null,
  peer: null,
  port: 'tcp/443',
  method: null,
  path: null,
  truncated: false,
  host: null,
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 1,
  nearestRule: null,
  missed: null,
};

const described = changed(site, {
  front: { ...front, bind: 'shop_443' },
  net: network(['10.40.0.0/16'], { except: ['10.40.9.9'] }),
  'erp-1': workload('erp-1', '10.40.0.1', { app: 'erp', env: 'prod' }),
  'erp-2': workload('erp-2', '10.40.0.1', { app: 'erp', env: 'test' }),
  policy: policy([
    rule({ from: [{ workloads: "app == 'crm' && env == 'prod'" }], http: [{ methods: ['GET'], path: '/v1/*' }] }),
    rule({ id: 'stop', action: 'deny', from: [{ network: 'branches' }] }),
  ]),
});

async function labelled(t: Test): Promise<Stage & { labels: ReturnType<typeof eventLabels> }> {
  const it = await stage(t);
  return { ...it, labels: eventLabels(it.publisher) };
}

t.test('before there is a policy nobody has a name, and nothing throws', async (t) => {
  const { labels } = await labelled(t);
  t.strictSame(labels.source('edge-1', '10.30.1.1', 1), { workloads: [], networks: [], labels: {}, revision: null });
  t.equal(labels.object('edge-1', 'order-front', 1), null);
  t.strictSame(labels.nearest(event), { nearestRule: null, missed: null });
});

t.test('a source gets all its memberships, and labels that differ are joined', async (t) => {
  const { offer, labels } = await labelled(t);
  await offer(described);
  const table: [address: string, expected: object][] = [
    ['10.30.1.1', { workloads: ['crm-1'], networks: [], labels: { app: 'crm' }, revision: 1 }],
    [
      '10.40.0.1',
      { workloads: ['erp-1', 'erp-2'], networks: ['branches'], labels: { app: 'erp', env: 'prod,test' }, revision: 1 },
    ],
    ['10.40.9.9', { workloads: [], networks: [], labels: {}, revision: 1 }],
    ['192.0.2.1', { workloads: [], networks: [], labels: {}, revision: 1 }],
    ['', { workloads: [], networks: [], labels: {}, revision: 1 }],
    ['unix:', { workloads: [], networks: [], labels: {}, revision: 1 }],
  ];
  for (const [address, expected] of table)
    t.same(labels.source('edge-1', address, 1), expected, address || 'no address');
});

t.test('an object is found by what its own point calls it', async (t) => {
  const { offer, labels } = await labelled(t);
  await offer(described);
  t.strictSame(labels.object('edge-1', 'shop_443', 1), { name: 'order-front', labels: { app: 'shop', role: 'web' } });
  t.equal(labels.object('edge-1', 'order-front', 1), null, 'the name is not the bind');
  t.equal(labels.object('edge-2', 'shop_443', 1), null, 'another point');
});

t.test('the nearest rule names the one condition that failed, and a deny rule speaks for itself', async (t) => {
  const { offer, labels } = await labelled(t);
  await offer(changed(described, { 'crm-1': workload('crm-1', '10.30.1.1', { app: 'crm', env: 'prod' }) }));
  const table: [name: string, change: Partial<DenyEvent>, nearest: object][] = [
    ['a stranger', {}, { nearestRule: 'crm-orders', missed: /^source: the address is in none of app=crm/ }],
    [
      'a wrong label',
      { source: '10.40.0.1', path: '/v1/x' },
      { nearestRule: 'crm-orders', missed: /needs app == 'crm'|app/ },
    ],
    ['no such label', { source: '10.30.1.2', path: '/v1/x' }, { nearestRule: 'crm-orders', missed: /env/ }],
    [
      'a wrong path',
      { source: '10.30.1.1', path: '/v2', reason: 'request-not-allowed' },
      { nearestRule: 'crm-orders', missed: 'path: /v2 is not /v1/*' },
    ],
    [
      'a wrong method',
      { source: '10.30.1.1', path: '/v1/x', method: 'POST' },
      { nearestRule: 'crm-orders', missed: 'method: POST is not GET' },
    ],
    [
      'a wrong port',
      { source: '10.30.1.1', path: '/v1/x', port: 'tcp/80' },
      { nearestRule: 'crm-orders', missed: /tcp\/80/ },
    ],
    [
      'a deny rule',
      { source: '10.40.0.2', rule: 'stop', reason: 'denied-by-rule' },
      { nearestRule: null, missed: null },
    ],
    ['an object that nobody knows', { object: 'nowhere' }, { nearestRule: null, missed: null }],
  ];
  for (const [name, change, nearest] of table) t.match(labels.nearest({ ...event, ...change }), nearest, name);
});

t.test("labels are those of the event's own revision, or else of the newest, which is then named", async (t) => {
  const { offer, labels } = await labelled(t);
  await offer(site);
  await offer(changed(site, { 'crm-1': workload('crm-1', '10.30.1.1', { app: 'erp' }) }));
  t.match(labels.source('edge-1', '10.30.1.1', 1), { labels: { app: 'crm' }, revision: 1 });
  t.match(labels.source('edge-1', '10.30.1.1', 2), { labels: { app: 'erp' }, revision: 2 });
  await offer(changed(site, { 'crm-2': workload('crm-2', '10.30.1.2', { app: 'erp' }) }));
  t.match(labels.source('edge-1', '10.30.1.1', 3), { labels: { app: 'crm' }, revision: 3 });
  t.match(labels.source('edge-1', '10.30.1.1', 2), { labels: { app: 'erp' }, revision: 2 });
  t.match(labels.source('edge-1', '10.30.1.1', 1), { labels: { app: 'crm' }, revision: 3 }, 'two revisions are kept');
  t.match(labels.source('edge-1', '10.30.1.1', 0), { revision: 3 }, 'judged without a policy');
});

t.test('a network that has expired is nobody, although no verdict changed', async (t) => {
  const { offer, labels, clock, publisher } = await labelled(t);
  await offer(changed(site, { net: network(['192.0.2.0/24'], { expires: inMinutes(5) }) }));
  t.strictSame(labels.source('edge-1', '192.0.2.1', 1).networks, ['branches']);
  await clock.advance(5 * minuteMs);
  await publisher.tick();
  t.equal(publisher.status().revision, 1);
  t.strictSame(labels.source('edge-1', '192.0.2.1', 1).networks, []);
});

t.test('the flow of an event holds what the event holds, and no more', (t) => {
  t.strictSame(flowOf(event), { from: '10.9.9.9', to: 'order-front', port: 'tcp/443' });
  t.strictSame(flowOf({ ...event, method: 'PUT', path: '/a', host: 'shop.example' }), {
    from: '10.9.9.9',
    to: 'order-front',
    port: 'tcp/443',
    method: 'PUT',
    path: '/a',
    host: 'shop.example',
  });
  t.end();
});
