/** What findings about the meaning of a policy say, and what becomes of a rule that they let through. */
import type { Finding } from '@edgeward/policy';
import { pointViews, runPolicyTests } from '@edgeward/policy';
import t from 'tap';
import { host, NOW, network, policy, rule, server, shop, workload } from './cases/case.ts';
import { compileDocuments, digest } from './compiled.ts';

const findings = (...documents: unknown[]): Finding[] => compileDocuments(documents, NOW).findings;
const http = [{ methods: ['GET'] }];

const tcp = (name: string, labels: Record<string, string>): unknown =>
  server({ name, bind: name, labels, protocol: 'tcp' });

t.test('HTTP conditions that reach too far are told which objects, and the narrower selector', async (t) => {
  const table: { name: string; objects: unknown[]; to: string; says: string }[] = [
    {
      name: 'one label tells the two kinds apart',
      objects: [server({ labels: { app: 'shop', role: 'web' } }), tcp('db', { app: 'shop', role: 'db' })],
      to: "app == 'shop'",
      says: "db; narrower: (app == 'shop') && role == 'web'",
    },
    {
      name: 'the objects meant have several values',
      objects: [
        server({ labels: { app: 'shop', role: 'web' } }),
        server({ name: 'b', bind: 'b', labels: { app: 'shop', role: 'api' } }),
        tcp('db', { app: 'shop', role: 'db' }),
      ],
      to: "app == 'shop' || app == 'crm'",
      says: "db; narrower: (app == 'crm' || app == 'shop') && role in {'api', 'web'}",
    },
    {
      name: 'the other objects lack the label',
      objects: [server({ labels: { app: 'shop', tier: 'x' } }), tcp('db', { app: 'shop' })],
      to: 'all()',
      says: "db; narrower: (all()) && tier == 'x'",
    },
    {
      name: 'no label tells them apart',
      objects: [server({ labels: { app: 'shop' } }), tcp('db', { app: 'shop' })],
      to: "app == 'shop'",
      says: 'db',
    },
    {
      name: 'a label that one of the objects meant lacks tells nothing',
      objects: [
        server({ labels: { app: 'shop', role: 'web' } }),
        server({ name: 'b', bind: 'b', labels: { app: 'shop' } }),
        tcp('db', { app: 'shop' }),
      ],
      to: "app == 'shop'",
      says: 'db',
    },
    { name: 'no object is meant at all', objects: [tcp('db', { app: 'shop' })], to: "app == 'shop'", says: 'db' },
    {
      name: 'a host is no object of requests',
      objects: [server({ labels: { app: 'shop', role: 'web' } }), host({ labels: { app: 'shop' } })],
      to: "app == 'shop'",
      says: "db-1; narrower: (app == 'shop') && role == 'web'",
    },
    {
      name: 'there are many of them',
      objects: Array.from({ length: 12 }, (_, i) => tcp(`db${String(i).padStart(2, '0')}`, { app: 'shop' })),
      to: "app == 'shop'",
      says: 'db00, db01, db02, db03, db04, db05, db06, db07, db08, db09 and 2 more',
    },
  ];
  for (const { name, objects, to, says } of table) {
    const found = findings(...objects, policy(rule({ to, http })));
    t.match(found, [{ code: 'EDW_ERR_HTTP_ON_CONNECTION' }], name);
    t.equal(found[0]?.message, `HTTP conditions reach objects whose requests are not judged: ${says}`, name);
  }
});

t.test('the narrower selector that is proposed is without error when it is taken', async (t) => {
  const objects = [server({ labels: { app: 'shop', role: 'web' } }), tcp('db', { app: 'shop', role: 'db' })];
  const [finding] = findings(...objects, policy(rule({ http })));
  const narrower = finding?.message.split('narrower: ')[1];
  t.strictSame(findings(...objects, policy(rule({ http, to: narrower }))), []);
});

t.test('workloads outside a fence are named, and have no way in', async (t) => {
  const documents = [
    workload({ name: 'in', addresses: ['10.30.255.255'] }),
    workload({ name: 'out', addresses: ['10.31.0.0'] }),
    workload({ name: 'both', addresses: ['10.30.0.0', '10.29.255.255'] }),
    ...shop({ from: [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'] }] }),
  ];
  const { decide, findings } = compileDocuments(documents, NOW);
  t.match(findings, [{ message: 'outside the fence, and left out: out' }]);
  const verdicts = ['10.30.255.255', '10.31.0.0', '10.30.0.0', '10.29.255.255'].map(
    (from) => decide({ from, to: 'front', port: 'tcp/443' }).verdict,
  );
  t.strictSame(verdicts, ['allow', 'deny', 'allow', 'deny']);
});

t.test('of many workloads outside a fence ten are named', async (t) => {
  const many = Array.from({ length: 12 }, (_, i) => workload({ name: `w${i}`, addresses: [`10.9.0.${i}`] }));
  const found = findings(...many, ...shop({ from: [{ workloads: 'all()', within: ['10.30.0.0/16'] }] }));
  const fenced = found.find(({ code }) => code === 'EDW_WARN_FENCED_OUT');
  t.equal(
    fenced?.message,
    `outside the fence, and left out: ${Array.from({ length: 10 }, (_, i) => `w${i}`).join(', ')}`,
  );
});

t.test('a limit counts the workloads inside the fence, and says how many there are', async (t) => {
  const many = Array.from({ length: 3 }, (_, i) => workload({ name: `w${i}`, addresses: [`10.30.0.${i}`] }));
  const out = workload({ name: 'out', addresses: ['10.9.0.1'] });
  const limited = (max: number): string[] =>
    findings(...many, out, ...shop({ from: [{ workloads: 'all()', within: ['10.30.0.0/16'], max }] }))
      .filter(({ severity }) => severity === 'error')
      .map(({ message }) => message);
  t.strictSame(limited(3), []);
  t.strictSame(limited(2), ["3 workloads are selected, and 'max' is 2"]);
});

t.test('equal terms with different limits are one group, and each limit is checked', async (t) => {
  const term = (max: number): object => ({ workloads: 'all()', max });
  const { resolution, findings } = compileDocuments(
    [workload(), workload({ name: 'b', addresses: ['10.0.0.2'] }), ...shop({ from: [term(2), term(1)] })],
    NOW,
  );
  t.equal(Object.keys(resolution.groups).length, 1);
  t.match(findings, [{ code: 'EDW_ERR_MAX_EXCEEDED' }]);
});

t.test('a rule that lost its objects takes nothing from the others', async (t) => {
  const { decide } = compileDocuments(
    [server(), policy(rule({ id: 'a', to: "app == 'gone'" }), rule({ id: 'b' }))],
    NOW,
  );
  t.match(decide({ from: '10.1.1.1', to: 'front', port: 'tcp/443' }), { verdict: 'allow', rule: 'b' });
});

t.test('a host without a management list is observed, whatever it says', async (t) => {
  const { resolution, findings } = compileDocuments([host({ mode: 'enforce' })], NOW);
  t.match(resolution.objects, [{ name: 'db-1', mode: 'observe' }]);
  t.match(findings, [{ message: /'db-1' is observed only: its point 'host-db-1' has no management addresses/ }]);
});

t.test('a network that a deny rule needs is told which rule it fails', async (t) => {
  const documents = [
    network({ expires: '2031-01-01T00:00:00Z' }),
    ...shop({ from: [{ network: 'branches' }], action: 'deny' }),
  ];
  t.match(findings(...documents), [{ message: "when 'branches' expires, the deny rule 'r' no longer stops it" }]);
});

t.test('tests say what they expected, what they got and by which rule', async (t) => {
  const documents = [
    server(),
    {
      kind: 'Policy',
      name: 'p',
      rules: [rule({ id: 'no', action: 'deny', http: [{ path: '/admin/*' }] }), rule({ id: 'yes' })],
      tests: [
        { from: '10.1.1.1', to: 'front', port: 'tcp/443', request: 'GET /v1', expect: 'allow' },
        { from: '10.1.1.1', to: 'front', port: 'tcp/443', request: 'POST /admin/x?y', expect: 'allow' },
        { from: '2001:DB8::0:1', to: 'front', port: 'tcp/443', expect: 'allow' },
      ],
    },
  ];
  const { resolution } = compileDocuments(documents, NOW);
  const { results, findings } = runPolicyTests(resolution, pointViews(resolution, digest), false);
  t.match(results, [
    { policy: 'p', passed: true, expect: 'allow', got: { verdict: 'allow', rule: 'yes' }, file: 'test.yaml' },
    { passed: false, got: { verdict: 'deny', reason: 'denied-by-rule', rule: 'no' } },
    { passed: false, got: { reason: 'unknown-source', rule: null }, flow: { from: '2001:DB8::0:1' } },
  ]);
  t.strictSame(
    findings.map(({ message }) => message),
    [
      "10.1.1.1 → front tcp/443 POST /admin/x?y: expected allow, got deny (denied-by-rule by 'no')",
      '2001:DB8::0:1 → front tcp/443: expected allow, got deny (unknown-source)',
    ],
  );
});
