import { linkModel } from '@edgeward/policy';
import { canonicalJson, digestOf, generateSigningKey, rulesOf, type TrustRoot } from '@edgeward/policy-format';
import t from 'tap';
import {
  type Bundle,
  computeApprovalPayload,
  grantDocument,
  inventoryOf,
  type PayloadInputs,
  type Predecessor,
  parseBundle,
  recomputeApproval,
  risksOf,
  slicesOf,
  sourceDocumentsOf,
  withDocument,
  withoutDocument,
} from '../src/index.ts';
import { bundle, CRM, documents, FRONT, HOUR_MS, PLAIN, policy, START_MS } from './decisions/world.ts';

const HOST = {
  kind: 'Workload',
  name: 'billing-db-1',
  labels: { app: 'billing', role: 'db' },
  addresses: ['10.40.0.7'],
  point: 'host-billing-db-1',
  ports: ['tcp/5432'],
  mode: 'enforce',
};
const GUARD = { kind: 'Point', name: 'host-billing-db-1', management: ['10.99.0.0/24'] };
const _NET = { kind: 'Network', name: 'branch', cidrs: ['192.0.2.0/24'], except: ['192.0.2.66'], owner: 'netops' };
const _WEB = { kind: 'Service', name: 'web', ports: ['tcp/443', 'tcp/80'] };
const ANY = { ...CRM, id: 'any', from: [{ any: true }] };
const WORKLOAD = { kind: 'Workload', name: 'crm-1', labels: { app: 'crm', env: 'prod' }, addresses: ['10.30.1.4'] };

t.test('a bundle holds what people edit, in one order, one spelling, and without addresses', (t) => {
  const one = bundle(policy(CRM), WORKLOAD, FRONT, HOST, GUARD);
  const other = bundle(GUARD, HOST, { ...FRONT, labels: { env: 'prod', role: 'web', app: 'shop' } }, policy(CRM));
  t.equal(one.digest, other.digest);
  t.strictSame(
    one.documents.map(({ kind, name }) => `${kind} ${name}`),
    ['Point host-billing-db-1', 'Policy shop', 'VirtualServer order-front', 'Workload billing-db-1'],
  );
  t.notMatch(Buffer.from(one.bytes).toString(), /10\.40\.0\.7|crm-1/);
  t.equal(digestOf(one.bytes), one.digest);
  t.strictSame(parseBundle(one.bytes), one);
  t.strictSame(
    inventoryOf(documents(FRONT, WORKLOAD, HOST)).map(({ value }) => value),
    [WORKLOAD, HOST],
  );
  t.end();
});

t.test('a bundle reads back into documents that the policy core understands, with places', (t) => {
  const findings: Parameters<typeof linkModel>[1] = [];
  const source = sourceDocumentsOf(bundle(FRONT, policy({ ...CRM, unknown: 1 })));
  linkModel(source, findings);
  t.match(findings, [{ code: 'EDW_ERR_UNKNOWN_KEY', file: 'policy/shop', line: 1 }]);
  t.end();
});

t.test('what can stand in no bundle is refused, all at once', (t) => {
  const bad = () => bundle('text' as never, { kind: 'Cloud', name: 'x' }, { kind: 'Policy' }, FRONT);
  t.throws(bad, { code: 'EDW_ERR_BUNDLE', message: /policy\.yaml:1.*policy\.yaml:2.*policy\.yaml:3/ });
  t.throws(() => bundle(FRONT, FRONT), { code: 'EDW_ERR_BUNDLE', message: /stands twice/ });
  t.throws(() => bundle(policy({ id: '\ud800' })), { code: 'EDW_ERR_BUNDLE' });
  t.end();
});

t.test('bytes that come from somewhere are read in one form only', (t) => {
  const text = Buffer.from(PLAIN.bytes).toString();
  const [first = '', second = ''] = text.split('\n');
  const bare = '{"addresses":[],"kind":"Workload","labels":{},"name":"a"';
  const table: { name: string; bytes: string; code: string }[] = [
    { name: 'another order', bytes: `${second}\n${first}\n`, code: 'EDW_ERR_BUNDLE' },
    { name: 'no end', bytes: text.slice(0, -1), code: 'EDW_ERR_BUNDLE' },
    { name: 'one twice', bytes: `${first}\n${text}`, code: 'EDW_ERR_BUNDLE' },
    { name: 'an empty line', bytes: `\n${text}`, code: 'EDW_ERR_FORMAT_NOT_CANONICAL' },
    { name: 'white space', bytes: text.replace('{"', '{ "'), code: 'EDW_ERR_FORMAT_NOT_CANONICAL' },
    { name: 'a key twice', bytes: text.replace('{"', '{"kind":"Policy","'), code: 'EDW_ERR_FORMAT_NOT_CANONICAL' },
    { name: '__proto__', bytes: '{"__proto__":{},"kind":"Policy","name":"a"}\n', code: 'EDW_ERR_FORMAT_NOT_CANONICAL' },
    { name: 'deep', bytes: `{"a":${'['.repeat(50)}${']'.repeat(50)}}\n`, code: 'EDW_ERR_FORMAT_DEPTH' },
    { name: 'inventory', bytes: `${bare}}\n`, code: 'EDW_ERR_BUNDLE' },
    {
      name: 'an address',
      bytes: `${bare.replace('[]', '["10.0.0.1"]')},"point":"p"}\n`,
      code: 'EDW_ERR_BUNDLE',
    },
  ];
  for (const { name, bytes, code } of table) t.throws(() => parseBundle(Buffer.from(bytes)), { code }, name);
  t.equal(parseBundle(Buffer.from('')).documents.length, 0);
  t.end();
});

t.test('a grant is one rule that ends by itself', (t) => {
  const grant = {
    name: 'INC-7',
    from: { cidr: '192.0.2.9' },
    to: "app == 'shop'",
    ports: ['tcp/443'],
    until: new Date(START_MS + HOUR_MS).toISOString(),
    reason: 'INC-7',
  };
  const granted = withDocument(PLAIN, grantDocument(grant, START_MS));
  t.strictSame(risksOf(PLAIN, granted), []);
  const [slice] = slicesOf(granted);
  t.match(
    slice?.rules.rules.find((rule) => rule.id === 'grant-INC-7'),
    { until: grant.until },
  );
  t.equal(withoutDocument(granted, 'Policy', 'grant-INC-7').digest, PLAIN.digest);
  const longer = { ...grant, until: new Date(START_MS + 2 * HOUR_MS).toISOString() };
  t.match(risksOf(granted, withDocument(granted, grantDocument(longer, START_MS))), [{ risk: 'fence-widened' }]);
  const table: object[] = [
    { until: new Date(START_MS).toISOString() },
    { until: '2028-01-01T00:00:00Z' },
    { until: 'tomorrow' },
    { reason: ' ' },
    { name: 'a b' },
    { from: { cidr: '10.0.0.1/8' } },
    { ports: [] },
    { to: '' },
  ];
  for (const change of table)
    t.throws(() => grantDocument({ ...grant, ...change }, START_MS), { code: 'EDW_ERR_GRANT' }, JSON.stringify(change));
  t.end();
});

async function rootOf(thresholds: Partial<TrustRoot['thresholds']> = {}): Promise<TrustRoot> {
  const { publicKey } = await generateSigningKey();
  const all = { normal: 1, elevated: 2, root: 2, breakGlassHours: 4, ...thresholds };
  const store = '0'.repeat(32);
  const people: TrustRoot['people'] = [{ name: 'ada', roles: ['author'], keys: [publicKey] }];
  const issuedAt = new Date(START_MS).toISOString();
  const keys = { storeKeys: [publicKey], logKeys: [publicKey] };
  return {
    typ: 'edgeward-root/1',
    store,
    version: 1,
    epoch: 1,
    previous: null,
    issuedAt,
    people,
    thresholds: all,
    ...keys,
  };
}

function inputs(root: TrustRoot, it: Bundle, previous: Predecessor | null = null): PayloadInputs {
  return { bundle: it, previous, root, proposedBy: 'ada', reason: 'CHG-1', nowMs: START_MS };
}

t.test('equal documents give equal payloads, whatever the inventory, and points read their slices', async (t) => {
  const root = await rootOf();
  const { payload, slices } = computeApprovalPayload(inputs(root, bundle(FRONT, HOST, GUARD, policy(CRM))));
  const again = computeApprovalPayload({
    ...inputs(root, bundle(policy(CRM), GUARD, HOST, FRONT)),
    inventory: documents(WORKLOAD, HOST),
  });
  t.equal(canonicalJson(again.payload), canonicalJson(payload));
  t.match(payload, { version: 1, previous: null, slices: { count: 2 }, documents: { count: 4 }, breakGlass: null });
  t.equal(payload.expiresAt, '2026-11-23T10:00:00.000Z');
  for (const { point, bytes, rules } of slices) t.strictSame(rulesOf(bytes, point), rules);
  t.ok(recomputeApproval(payload, { bundle: bundle(FRONT, HOST, GUARD, policy(CRM)), previous: null, root }));
});

t.test('what is wrong with the policy keeps anybody from signing it', async (t) => {
  const root = await rootOf();
  const test = { from: '10.30.1.4', to: 'order-front', port: 'tcp/443', expect: 'allow' };
  const withTest = bundle(FRONT, { ...policy(CRM), tests: [test] });
  const inventory = documents(WORKLOAD);
  const table: { name: string; it: Bundle; inventory?: typeof inventory; message: RegExp | null }[] = [
    { name: 'good', it: withTest, inventory, message: null },
    { name: 'tests wait for an inventory', it: withTest, message: null },
    { name: 'a test that fails', it: withTest, inventory: [], message: /EDW_ERR_TEST_FAILED/ },
    { name: 'an unknown key', it: bundle(FRONT, policy({ ...CRM, form: 1 })), message: /EDW_ERR_UNKNOWN_KEY/ },
    {
      name: 'an unknown network',
      it: bundle(FRONT, policy({ ...CRM, from: [{ network: 'x' }] })),
      message: /UNKNOWN_NETWORK/,
    },
    {
      name: 'nothing selected',
      it: bundle(FRONT, policy({ ...CRM, to: "app == 'x'" })),
      message: /EDW_ERR_TO_NOTHING/,
    },
    {
      name: 'more members than max',
      it: bundle(FRONT, policy({ ...CRM, from: [{ workloads: 'all()', max: 0 }] })),
      inventory,
      message: /EDW_ERR_MAX_EXCEEDED/,
    },
  ];
  for (const { name, it, message, ...rest } of table) {
    const attempt = () => computeApprovalPayload({ ...inputs(root, it), ...rest });
    if (message === null) t.doesNotThrow(attempt, name);
    else t.throws(attempt, { code: 'EDW_ERR_PROPOSAL_POLICY', message }, name);
  }
});

function term(change: object): object {
  return { ...CRM, from: [{ ...CRM.from[0], ...change }] };
}

t.test('whoever writes the inventory vetoes no edit', async (t) => {
  const root = await rootOf();
  const before = { from: '10.30.1.4', to: 'order-front', port: 'tcp/443', expect: 'allow' };
  const other = { ...before, from: '10.30.1.5' };
  const withTests = (...all: object[]): object => ({ ...policy(term({ max: 2 })), tests: all });
  const edited = (rules: object, ...more: object[]): Bundle =>
    bundle({ ...FRONT, ports: ['tcp/443', 'tcp/80'] }, rules, ...more);
  const payload = computeApprovalPayload(inputs(root, bundle(FRONT, withTests(before)))).payload;
  const approved = bundle(FRONT, withTests(before));
  const previous: Predecessor = { approval: payload, digest: digestOf(canonicalJson(payload)), approved };
  const gone = documents();
  const three = documents(...[4, 5, 6].map((n) => ({ ...WORKLOAD, name: `crm-${n}`, addresses: [`10.30.1.${n}`] })));
  const breakGlass = { endsAtMs: START_MS + HOUR_MS };
  const broken = policy({ ...CRM, to: "app == 'nothing'" });
  const table: { name: string; it: Bundle; more: Partial<PayloadInputs>; said: string }[] = [
    {
      name: 'a test that fails in force too',
      it: edited(withTests(before)),
      more: { inventory: gone },
      said: 'warning EDW_ERR_TEST_FAILED',
    },
    {
      name: 'a test that fails anew',
      it: edited(withTests(before, other)),
      more: { inventory: gone },
      said: 'error EDW_ERR_TEST_FAILED',
    },
    {
      name: 'too many in force too',
      it: edited(withTests(before)),
      more: { inventory: three },
      said: 'warning EDW_ERR_MAX_EXCEEDED',
    },
    {
      name: 'too many anew',
      it: edited(policy(term({ max: 1 }))),
      more: { inventory: three },
      said: 'error EDW_ERR_MAX_EXCEEDED',
    },
    {
      name: 'a first version',
      it: edited(withTests(before)),
      more: { inventory: gone, previous: null },
      said: 'error EDW_ERR_TEST_FAILED',
    },
    {
      name: 'break-glass and a test',
      it: edited(withTests(before, other)),
      more: { inventory: gone, breakGlass },
      said: 'warning EDW_ERR_TEST_FAILED',
    },
    {
      name: 'break-glass and too many',
      it: edited(policy(term({ max: 1 }))),
      more: { inventory: three, breakGlass },
      said: 'warning EDW_ERR_MAX_EXCEEDED',
    },
    {
      name: 'a restore and a test',
      it: edited(withTests(other)),
      more: { inventory: gone, restored: true },
      said: 'warning EDW_ERR_TEST_FAILED',
    },
    {
      name: 'break-glass and its own fault',
      it: edited(broken),
      more: { inventory: gone, breakGlass },
      said: 'error EDW_ERR_TO_NOTHING',
    },
  ];
  for (const { name, it, more, said } of table)
    t.equal(verdictOn({ ...inputs(root, it, previous), ...more }), said, name);
  const { payload: glass } = computeApprovalPayload({
    ...inputs(root, edited(withTests(other)), previous),
    breakGlass,
  });
  const again = { bundle: edited(withTests(other)), previous, root, inventory: gone };
  t.doesNotThrow(() => recomputeApproval(glass, again), 'the store judges as the author did');
});

/** The first thing that is said of tests, `max` or the policy itself. */
function verdictOn(input: PayloadInputs): string {
  try {
    const found = computeApprovalPayload(input).findings.find(({ code }) => code.startsWith('EDW_ERR_'));
    return found === undefined ? 'nothing' : `${found.severity} ${found.code}`;
  } catch (thrown) {
    const [, code] = /\((EDW_ERR_\w+)\)/.exec(String(thrown)) ?? [];
    return `error ${code}`;
  }
}

t.test('a host is a member by the labels of the inventory, as it is in the store', async (t) => {
  const root = await rootOf();
  const host = { ...HOST, addresses: ['10.30.1.7'] };
  const test = { from: '10.30.1.7', to: 'order-front', port: 'tcp/443', expect: 'allow' };
  const it = bundle(FRONT, HOST, GUARD, { ...policy(CRM), tests: [test] });
  const judged = (is: object) => () => computeApprovalPayload({ ...inputs(root, it), inventory: documents(is) });
  t.doesNotThrow(judged({ ...host, labels: WORKLOAD.labels }));
  t.throws(judged(host), { code: 'EDW_ERR_PROPOSAL_POLICY', message: /EDW_ERR_TEST_FAILED/ });
  t.throws(judged({ ...host, labels: 7 }), { code: 'EDW_ERR_PROPOSAL_POLICY' }, 'one that can not be read is nobody');
});

t.test('an inventory gives no object its labels, mode or point', async (t) => {
  const root = await rootOf();
  const sneaky = { ...WORKLOAD, point: 'edge-1', mode: 'off', labels: { app: 'shop' } };
  const { findings, slices } = computeApprovalPayload({ ...inputs(root, PLAIN), inventory: documents(sneaky) });
  t.strictSame(
    slices.flatMap(({ rules }) => rules.objects.map(({ name }) => name)),
    ['order-front'],
  );
  t.strictSame(
    findings.filter(({ severity }) => severity === 'error'),
    [],
  );
});

t.test('a risk never lowers how many people are needed', async (t) => {
  const previous = (approved: Bundle, root: TrustRoot): Predecessor => {
    const { payload } = computeApprovalPayload(inputs(root, approved));
    return { approval: payload, digest: digestOf(canonicalJson(payload)), approved };
  };
  const changes = [
    (it: object[]) => [...it, { kind: 'Policy', name: 'z', rules: [{ ...ANY, id: 'z' }] }],
    (it: object[]) => it.map((doc) => ('mode' in doc ? { ...doc, mode: 'off' } : doc)),
    (it: object[]) => [
      ...it,
      { kind: 'Policy', name: 'y', rules: [{ ...CRM, id: 'y', from: [{ workloads: 'all()' }] }] },
    ],
  ];
  for (const [normal, elevated] of [
    [1, 1],
    [1, 2],
    [2, 3],
    [3, 1],
  ] as const) {
    const root = await rootOf({ normal, elevated });
    const before = previous(PLAIN, root);
    const start: object[] = [FRONT, policy(CRM, { ...CRM, id: 'more' })];
    let last = { approvals: 0, risks: 0 };
    let documentsNow = start;
    for (const change of [(it: object[]) => it, ...changes]) {
      documentsNow = change(documentsNow);
      const { payload } = computeApprovalPayload(inputs(root, bundle(...documentsNow), before));
      t.ok(payload.approvals >= last.approvals && payload.risks.length >= last.risks, `${normal} ${elevated}`);
      last = { approvals: payload.approvals, risks: payload.risks.length };
    }
    t.ok(last.risks > 0);
  }
});
