/** Which denials are new, by real policies that are compiled and judged; time is given in. */
import type { DenyEvent } from '@edgeward/audit-collector';
import { type CompiledPolicy, compilePoint, linkModel, resolve } from '@edgeward/policy';
import { yamlDocuments } from '@edgeward/policy-source';
import { createLogger, createMetrics, sha256Hex } from '@edgeward/runtime';
import t from 'tap';
import { earlierObjects } from '../src/earlier-objects.ts';
import { watchNewlyDenied } from '../src/newly-denied.ts';

const DAY_MS = 86_400_000;
const HEAD = `
kind: VirtualServer
name: orders
labels: { app: shop }
point: edge-1
bind: orders
ports: [tcp/443]
mode: enforce
---
kind: Policy
name: shop
rules:
`;
const rule = (id: string, cidr: string, more = ''): string =>
  `  - { id: ${id}, from: [{ cidr: ${cidr} }], to: "app == 'shop'", ports: [tcp/443]${more} }\n`;

function policy(revision: number, ...rules: string[]): CompiledPolicy {
  const { documents, findings } = yamlDocuments(HEAD + rules.join(''), 'policy.yaml');
  const resolution = resolve(linkModel(documents, findings), 0);
  if (findings.length > 0) throw new Error(JSON.stringify(findings));
  return compilePoint(resolution, 'edge-1', { revision, digest: sha256Hex });
}

const crm = rule('crm', '10.1.0.0/16');
const erp = rule('erp', '10.2.0.0/16');

function denial(of: Partial<DenyEvent>): DenyEvent {
  const time = '2026-11-23T10:00:00.000Z';
  return {
    v: 1,
    ref: null,
    time,
    windowStart: time,
    windowEnd: time,
    count: 1,
    point: 'edge-1',
    object: 'orders',
    objectLabels: {},
    source: '10.1.0.9',
    sourcePort: null,
    sourceWorkloads: [],
    sourceNetworks: [],
    sourceLabels: {},
    labelsRevision: null,
    peer: null,
    port: 'tcp/443',
    method: 'GET',
    path: '/v1',
    truncated: false,
    host: null,
    verdict: 'deny',
    reason: 'unknown-source',
    rule: null,
    revision: 2,
    nearestRule: null,
    missed: null,
    ...of,
  };
}

function watching(bounds: { mostPerSecond?: number } = {}) {
  let nowMs = 0;
  const registry = createMetrics({ processMetrics: false });
  const watch = watchNewlyDenied({ registry, logger: createLogger({ level: 'silent' }), now: () => nowMs, ...bounds });
  const scraped = async (name: string): Promise<number | null> => {
    const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(name));
    return line === undefined ? null : Number(line.split(' ').at(-1));
  };
  return {
    ...watch,
    to: (ms: number) => {
      nowMs = ms;
    },
    denials: () => scraped('edgeward_newly_denied_total{point="edge-1",object="orders"}'),
    since: () => scraped('edgeward_newly_denied_since_revision{point="edge-1",object="orders"}'),
    unchecked: () => scraped('edgeward_newly_denied_unchecked_total'),
  };
}

t.test('a flow that a rule allowed is newly denied since the revision that took it away', async (t) => {
  const it = watching();
  it.remember(policy(1, crm, erp));
  t.equal(await it.denials(), 0, 'there before the first');
  it.remember(policy(2, erp));
  for (const { name, of, counted } of [
    { name: 'what was allowed before', of: { count: 3 }, counted: 3 },
    { name: 'who never was', of: { source: '10.9.0.1' }, counted: 3 },
    { name: 'a port that never was', of: { port: 'tcp/22' }, counted: 3 },
    { name: 'judged by the policy that allowed it', of: { revision: 1 }, counted: 3 },
    { name: 'it was only observed', of: { verdict: 'would-deny' as const }, counted: 3 },
    { name: 'without a policy', of: { reason: 'no-policy' as const }, counted: 3 },
    { name: 'half a request', of: { truncated: true }, counted: 3 },
    { name: 'another object', of: { object: 'others' }, counted: 3 },
    { name: 'another point', of: { point: 'edge-2' }, counted: 3 },
    { name: 'once more', of: {}, counted: 4 },
  ]) {
    it.look(denial(of));
    t.equal(await it.denials(), counted, name);
  }
  t.equal(await it.since(), 2);
});

t.test('the request counts: what was allowed is the flow, not the source', async (t) => {
  const it = watching();
  it.remember(policy(1, rule('crm', '10.1.0.0/16', ', http: [{ methods: [GET] }]')));
  it.remember(policy(2, erp));
  it.look(denial({ method: 'POST' }));
  t.equal(await it.denials(), 0);
  it.look(denial({ method: 'GET' }));
  t.equal(await it.denials(), 1);
});

t.test('a week after it was taken away it is new no more', async (t) => {
  const it = watching();
  it.remember(policy(1, crm));
  it.to(DAY_MS);
  it.remember(policy(2, erp));
  it.to(8 * DAY_MS);
  it.look(denial({}));
  t.equal(await it.denials(), 1);
  it.to(8 * DAY_MS + 1);
  it.look(denial({}));
  t.equal(await it.denials(), 1);
});

t.test('many revisions between do not hide it, and an object that left is remembered', async (t) => {
  const it = watching();
  it.remember(policy(1, crm, erp));
  for (let revision = 2; revision < 60; revision += 1) {
    it.to(revision * 60_000);
    it.remember(policy(revision, erp, rule('other', `10.3.${revision}.0/24`)));
  }
  it.look(denial({ revision: 59 }));
  t.equal(await it.denials(), 1);
  t.equal(await it.since(), 2, 'the first that did not have it');
  it.remember({ ...policy(60, crm), objects: [] });
  it.look(denial({ source: '10.2.0.1', revision: 60 }));
  t.equal(await it.denials(), 2);
  t.equal(await it.since(), 60);
});

t.test('what came back and went again is named by the last time that it went', async (t) => {
  const it = watching();
  for (const [revision, rules] of [
    [1, crm],
    [2, erp],
    [3, crm],
    [4, erp],
  ] as const)
    it.remember(policy(revision, rules));
  it.look(denial({ revision: 4 }));
  t.equal(await it.since(), 4);
});

t.test('forms past the bound of memory are forgotten, those that were replaced first', async (t) => {
  const earlier = earlierObjects({ forms: 8, bytes: 2_000 });
  const flow = { from: '10.1.0.9', to: 'orders', port: 'tcp/443' };
  earlier.remember(policy(1, crm), 0);
  earlier.remember(policy(2, erp), 1);
  t.strictSame(earlier.allowed('edge-1', flow, 2, 2), { rule: 'crm', deniedSince: 2 });
  const many = Array.from({ length: 60 }, (_, i) => rule(`r-${i}`, `10.4.${i}.0/24`));
  earlier.remember(policy(3, ...many), 2);
  earlier.remember(policy(4, erp), 3);
  t.equal(earlier.allowed('edge-1', flow, 4, 4), null);
});

t.test('in a flood so many a second are looked at, and the rest is counted', async (t) => {
  const it = watching({ mostPerSecond: 10 });
  it.remember(policy(1, crm));
  it.remember(policy(2, erp));
  for (let n = 0; n < 25; n += 1) it.look(denial({}));
  t.strictSame([await it.denials(), await it.unchecked()], [10, 15]);
  it.to(1000);
  it.look(denial({}));
  t.strictSame([await it.denials(), await it.unchecked()], [11, 15]);
});
