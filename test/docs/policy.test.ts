/** Every example in docs/policy.md goes through the compiler, and every row of its tables through `decide`. */
import {
  decide,
  type Finding,
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

function objectWithPath(path: string): unknown[] {
  const front = { kind: 'VirtualServer', name: 'front', labels: { app: 'shop' }, point: 'edge-1', bind: 'front' };
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
