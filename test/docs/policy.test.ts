/** Every example in docs/policy.md goes through the compiler, and every row of its tables through `decide`. */
import {
  decide,
  explain,
  type Finding,
  identitiesOf,
  linkModel,
  lint,
  POLICY_WARNINGS,
  pointViews,
  type Resolution,
  resolve,
  runPolicyTests,
  type SourceDocument,
  viewOf,
} from '@edgeward/policy';
import { yamlDocuments } from '@edgeward/policy-source';
import { sha256Hex } from '@edgeward/runtime';
import { compileDocuments } from '@edgeward/test/kit';
import t from 'tap';
import { type Block, blocksOf, page, tableRows } from './markdown.ts';

const nowMs = Date.parse('2026-11-22T00:00:00Z');
const text = page('docs/policy.md');
const examples = blocksOf(text).filter(({ info }) => info.startsWith('yaml'));
const good = examples.filter(({ info }) => info === 'yaml');

interface Checked {
  findings: Finding[];
  resolution: Resolution;
}

function check(blocks: readonly Block[]): Checked {
  const documents: SourceDocument[] = [];
  const findings: Finding[] = [];
  for (const block of blocks) {
    const read = yamlDocuments(block.text, `policy.md:${block.line}`);
    documents.push(...read.documents);
    findings.push(...read.findings);
  }
  const resolution = resolve(linkModel(documents, findings), nowMs);
  findings.push(...lint(resolution, { inventoryOnly: false }));
  return { findings, resolution };
}

t.test('the examples are one directory without errors and without warnings, whose tests pass', async (t) => {
  const { findings, resolution } = check(good);
  t.strictSame(findings, []);
  const { results } = runPolicyTests(resolution, pointViews(resolution, sha256Hex), false);
  t.ok(results.length >= 8, 'there are tests');
  t.strictSame(
    results.filter(({ passed }) => !passed).map(({ flow, got }) => ({ flow, got })),
    [],
  );
});

t.test('every kind of document has an example', async (t) => {
  const kinds = new Set(good.flatMap(({ text }) => [...text.matchAll(/^kind: (\w+)$/gm)].map((match) => match[1])));
  t.strictSame([...kinds].sort(), ['Network', 'Point', 'Policy', 'Service', 'VirtualServer', 'Workload']);
});

t.test('an example of a mistake gives the error that it names', async (t) => {
  for (const block of examples.filter(({ info }) => info !== 'yaml')) {
    const code = block.info.replace('yaml error=', '');
    const errors = check([...good, block]).findings.map((finding) => finding.code);
    t.strictSame(errors, [code], `line ${block.line}`);
  }
});

t.test('a path is compared as the table says', async (t) => {
  const rows = tableRows(text, ['path as sent', 'compared as']);
  t.ok(rows.length > 10, 'the table was found');
  for (const [sent = '', expected = ''] of rows) {
    const path = expected === 'bad-request' ? '/nothing' : expected;
    const policy = compileDocuments(objectWithPath(path), { revision: 1 });
    const { reason } = decide(viewOf(policy), { from: '192.0.2.1', to: 'front', port: 'tcp/443', path: sent });
    t.equal(reason, expected === 'bad-request' ? 'bad-request' : 'allowed-by-rule', sent);
  }
});

const front = { kind: 'VirtualServer', name: 'front', labels: { app: 'shop' }, point: 'edge-1', bind: 'front' };

function objectWithPath(path: string): unknown[] {
  const rule = { id: 'r', from: [{ any: true }], to: 'all()', http: [{ path }] };
  return [
    { ...front, ports: ['tcp/443'], mode: 'enforce' },
    { kind: 'Policy', name: 'p', rules: [rule] },
  ];
}

t.test('every reason stands in the table of verdicts, and none that does not exist', async (t) => {
  const declared = /export type Reason =\s+\|([^;]+);/.exec(page('policy/src/flow.ts'))?.[1] ?? '';
  const reasons = [...declared.matchAll(/'([a-z-]+)'/g)].map((match) => match[1]);
  const documented = tableRows(text, ['line', 'when', 'verdict', 'reason']).map((row) => row[3]);
  t.strictSame([...new Set(documented)].sort(), reasons.sort());
});

t.test('every warning of the compiler stands in the table of warnings, and none that does not exist', async (t) => {
  const documented = tableRows(text, ['code', 'what it means']).map(([code]) => code);
  t.strictSame(documented.sort(), Object.keys(POLICY_WARNINGS).sort());
});

t.test('a flow that no example speaks of is denied', async (t) => {
  const view = pointViews(check(good).resolution, sha256Hex).forObject('order-front');
  const { verdict } = decide(view, { from: '10.9.9.9', to: 'order-front', port: 'tcp/443', path: '/v1/orders/7' });
  t.equal(verdict, 'deny');
});

const prod = { name: 'crm-1', labels: { app: 'crm', env: 'prod' }, addresses: ['10.30.1.4', '10.9.0.5'] };
const dev = { name: 'crm-2', labels: { app: 'crm', env: 'dev' }, addresses: ['10.30.1.5'] };
const bare = { name: 'crm-3', labels: { app: 'crm' }, addresses: ['10.30.1.6'] };
const branch = { cidrs: ['192.0.2.0/24'], except: ['192.0.2.66'], expires: '2027-01-31T00:00:00Z' };
const crm = { workloads: "app == 'crm' && env == 'prod'", within: ['10.30.0.0/16'] };
const http = [{ methods: ['GET', 'POST'], path: '/v1/orders/*' }];
const later = Date.parse('2027-02-01T00:00:00Z');

/** In the order in which they are told. */
const lacking: Record<string, { rule: object; flow: object; atMs?: number }> = {
  'time: the rule ended at 2026-12-24T18:00:00.000Z': {
    rule: { from: [crm], until: '2026-12-24T18:00:00Z' },
    flow: { from: '10.30.1.5', path: '/%2f' },
    atMs: later,
  },
  "source: it is an exception of the network 'branch-offices'": {
    rule: { from: [{ network: 'branch-offices' }] },
    flow: { from: '192.0.2.66' },
  },
  "source: the network 'branch-offices' expired at 2027-01-31T00:00:00.000Z": {
    rule: { from: [{ network: 'branch-offices' }] },
    flow: { from: '192.0.2.7' },
    atMs: later,
  },
  'source: its address is outside the fence 10.30.0.0/16': {
    rule: { from: [crm], http },
    flow: { from: '10.9.0.5', path: '/v2' },
  },
  "source: needs env == 'prod', has 'dev'": {
    rule: { from: [crm], http },
    flow: { from: '10.30.1.5', port: 'tcp/8443', path: '/v2' },
  },
  "source: needs env == 'prod', has no such label": { rule: { from: [crm] }, flow: { from: '10.30.1.6' } },
  'source: the address is in none of 203.0.113.0/24': {
    rule: { from: [{ cidr: '203.0.113.0/24' }] },
    flow: { from: '10.1.1.1' },
  },
  'the object does not list tcp/8443': {
    rule: { from: [crm], http },
    flow: { from: '10.30.1.4', port: 'tcp/8443', path: '/v2' },
  },
  'port: tcp/80 is not tcp/443': {
    rule: { from: [crm], ports: ['tcp/443'], http },
    flow: { from: '10.30.1.4', port: 'tcp/80', path: '/a%2fb' },
  },
  "request: it can't be judged safely": { rule: { from: [crm], http }, flow: { from: '10.30.1.4', path: '/a%2fb' } },
  'method: DELETE is not GET, POST': {
    rule: { from: [crm], http },
    flow: { from: '10.30.1.4', method: 'DELETE', path: '/v2' },
  },
  'path: /v2 is not /v1/orders/*': {
    rule: { from: [crm], http: [{ path: '/v1/orders/*', hosts: ['shop.example'] }] },
    flow: { from: '10.30.1.4', path: '/v2' },
  },
  'host: none is not shop.example': {
    rule: { from: [crm], http: [{ hosts: ['shop.example'] }] },
    flow: { from: '10.30.1.4' },
  },
};

t.test('whatever the code can say that a rule lacks stands in the table', async (t) => {
  const code = page('policy/src/nearest-rule.ts').replaceAll(/^\s*(?:\/?\*|\/\/).*$/gm, '');
  const beginnings = [...code.matchAll(/(?:`|")([a-z][^`"$]*)/g)].map(([, words = '']) => words);
  t.ok(beginnings.length >= 13, 'its words were found');
  const rows = Object.keys(lacking);
  for (const words of beginnings)
    t.ok(
      rows.some((row) => row.includes(words)),
      words,
    );
});

t.test('what a denial lacked is told in the words of the table', async (t) => {
  const rows = tableRows(text, ['missed', 'what would let it in']).map(([missed]) => missed);
  t.strictSame(rows, Object.keys(lacking));
  for (const [missed, { rule, flow, atMs = nowMs }] of Object.entries(lacking)) {
    const documents = [
      ...[prod, dev, bare].map((workload) => ({ kind: 'Workload', ...workload })),
      { kind: 'Network', name: 'branch-offices', ...branch },
      { ...front, ports: ['tcp/443', 'tcp/80'] },
      { kind: 'Policy', name: 'p', rules: [{ id: 'r', to: 'all()', ...rule }] },
    ].map((value) => ({ file: 'a', value, locate: () => ({ line: 1, column: 1 }) }));
    const resolution = resolve(linkModel(documents, []), atMs);
    const view = pointViews(resolution, sha256Hex).forObject('front');
    const whole = { from: '', to: 'front', port: 'tcp/443', ...flow };
    t.equal(explain(identitiesOf(resolution), view, whole).missed, missed);
  }
});
