import { linkModel } from '@edgeward/policy';
import {
  canonicalJson,
  digestOf,
  generateSigningKey,
  type Risk,
  rulesOf,
  type TrustRoot,
} from '@edgeward/policy-format';
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
const NET = { kind: 'Network', name: 'branch', cidrs: ['192.0.2.0/24'], except: ['192.0.2.66'], owner: 'netops' };
const WEB = { kind: 'Service', name: 'web', ports: ['tcp/443', 'tcp/80'] };
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

const DENY = {
  id: 'no-guests',
  from: [{ network: 'branch' }, { cidr: '198.51.100.0/24' }],
  to: "app == 'shop'",
  action: 'deny',
};
const UNTIL = '2027-01-01T00:00:00Z';
const LATER = '2027-02-01T00:00:00Z';
const ANY = { ...CRM, id: 'any', from: [{ any: true }] };
const tests = [{ from: '10.30.1.4', to: 'order-front', port: 'tcp/443', expect: 'allow' }];

function term(change: object): object {
  return { ...CRM, from: [{ ...CRM.from[0], ...change }] };
}

function without(it: object, key: string): object {
  return Object.fromEntries(Object.entries(it).filter(([name]) => name !== key));
}

t.test('each change that opens something is a risk by its name, and a harmless one is none', (t) => {
  const base = [FRONT, NET, policy(CRM)];
  const denying = [FRONT, NET, policy(CRM, DENY)];
  const deny = (change: object): object[] => [FRONT, NET, policy(CRM, { ...DENY, ...change })];
  const net = (change: object, ...rules: object[]): object[] => [FRONT, { ...NET, ...change }, policy(CRM, ...rules)];
  const names = { ...CRM, id: 'branch', from: [{ network: 'branch' }] };
  const host = [HOST, GUARD, FRONT, policy(CRM)];
  const many = (count: number): object =>
    policy(CRM, ...Array.from({ length: count }, (_, i) => ({ ...CRM, id: `r${i}` })));
  const table: { name: string; was: object[]; is: object[]; risks: Risk[] }[] = [
    { name: 'nothing', was: base, is: base, risks: [] },
    { name: 'a fenced rule more', was: base, is: [FRONT, NET, policy(CRM, { ...CRM, id: 'b' })], risks: [] },
    { name: 'a rule less', was: base, is: [FRONT, NET, policy()], risks: [] },
    { name: 'another why', was: base, is: [FRONT, NET, policy({ ...CRM, why: 'x' })], risks: [] },
    { name: 'a port more', was: base, is: [FRONT, NET, policy({ ...CRM, ports: ['tcp/443', 'tcp/80'] })], risks: [] },
    { name: 'any', was: base, is: [FRONT, NET, policy(CRM, ANY)], risks: ['any-source'] },
    { name: 'any, denied', was: base, is: [FRONT, NET, policy(CRM, { ...ANY, action: 'deny' })], risks: [] },
    {
      name: 'any, with a port more',
      was: [FRONT, policy(ANY)],
      is: [FRONT, policy({ ...ANY, ports: ['tcp/80'] })],
      risks: ['any-source'],
    },
    { name: 'any, as it was', was: [FRONT, policy(ANY)], is: [FRONT, policy(ANY, CRM)], risks: [] },
    {
      name: 'any, reaching one more by its labels',
      was: [FRONT, { ...FRONT, name: 'b', bind: 'b', labels: { app: 'x' } }, policy(ANY)],
      is: [FRONT, { ...FRONT, name: 'b', bind: 'b' }, policy(ANY)],
      risks: ['any-source'],
    },
    {
      name: 'any on every port, and a port more at the object',
      was: [FRONT, policy(without(ANY, 'ports'))],
      is: [{ ...FRONT, ports: ['tcp/443', 'tcp/22'] }, policy(without(ANY, 'ports'))],
      risks: ['any-source'],
    },
    {
      name: 'a /7',
      was: base,
      is: [FRONT, NET, policy(CRM, { ...ANY, from: [{ cidr: '10.0.0.0/7' }] })],
      risks: ['any-source'],
    },
    { name: 'a /8', was: base, is: [FRONT, NET, policy(CRM, { ...ANY, from: [{ cidr: '10.0.0.0/8' }] })], risks: [] },
    {
      name: 'a /7 in two pieces',
      was: base,
      is: [FRONT, NET, policy(CRM, { ...ANY, from: [{ cidr: '10.0.0.0/8' }, { cidr: '11.0.0.0/8' }] })],
      risks: ['any-source'],
    },
    {
      name: 'many /8',
      was: base,
      is: [FRONT, NET, policy(CRM, { ...ANY, from: [2, 4, 6, 8, 10].map((n) => ({ cidr: `${n}.0.0.0/8` })) })],
      risks: ['any-source'],
    },
    {
      name: 'an IPv6 /15',
      was: base,
      is: [FRONT, NET, policy(CRM, { ...ANY, from: [{ cidr: '2000::/15' }] })],
      risks: ['any-source'],
    },
    {
      name: 'an IPv6 /16',
      was: base,
      is: [FRONT, NET, policy(CRM, { ...ANY, from: [{ cidr: '2001::/16' }] })],
      risks: [],
    },
    {
      name: 'a network made wide under a rule',
      was: net({}, names),
      is: net({ cidrs: ['0.0.0.0/1'] }, names),
      risks: ['any-source', 'fence-widened'],
    },
    {
      name: 'labels alone',
      was: base,
      is: [FRONT, NET, policy(CRM, { ...CRM, id: 'b', from: [{ workloads: "app == 'b'" }] })],
      risks: ['unfenced'],
    },
    {
      name: 'a fence around everything',
      was: base,
      is: [FRONT, NET, policy(CRM, { ...CRM, id: 'b', from: [{ workloads: "app == 'b'", within: ['0.0.0.0/0'] }] })],
      risks: ['fence-widened', 'unfenced'],
    },
    {
      name: 'a fence dropped',
      was: base,
      is: [FRONT, NET, policy({ ...CRM, from: [without(CRM.from[0] ?? {}, 'within')] })],
      risks: ['fence-widened', 'unfenced'],
    },
    {
      name: 'a fence widened',
      was: base,
      is: [FRONT, NET, policy(term({ within: ['10.30.0.0/15'] }))],
      risks: ['fence-widened'],
    },
    { name: 'a fence narrowed', was: base, is: [FRONT, NET, policy(term({ within: ['10.30.1.0/24'] }))], risks: [] },
    {
      name: 'a fence written in two',
      was: base,
      is: [FRONT, NET, policy(term({ within: ['10.30.0.0/17', '10.30.128.0/17'] }))],
      risks: [],
    },
    {
      name: 'a fence widened behind another selector',
      was: base,
      is: [FRONT, NET, policy(term({ workloads: "app == 'erp'", within: ['10.0.0.0/8'] }))],
      risks: ['fence-widened'],
    },
    {
      name: 'another selector in the same fence',
      was: base,
      is: [FRONT, NET, policy(term({ workloads: "app == 'erp'" }))],
      risks: [],
    },
    { name: 'max raised', was: base, is: [FRONT, NET, policy(term({ max: 201 }))], risks: ['fence-widened'] },
    { name: 'max lowered', was: base, is: [FRONT, NET, policy(term({ max: 199 }))], risks: [] },
    {
      name: 'max dropped',
      was: base,
      is: [FRONT, NET, policy({ ...CRM, from: [without(CRM.from[0] ?? {}, 'max')] })],
      risks: ['fence-widened'],
    },
    {
      name: 'a CIDR widened',
      was: [FRONT, policy({ ...CRM, from: [{ cidr: '10.1.0.0/16' }] })],
      is: [FRONT, policy({ ...CRM, from: [{ cidr: '10.0.0.0/15' }] })],
      risks: ['fence-widened'],
    },
    {
      name: 'an end moved',
      was: [FRONT, policy({ ...CRM, until: UNTIL })],
      is: [FRONT, policy({ ...CRM, until: LATER })],
      risks: ['fence-widened'],
    },
    {
      name: 'an end dropped',
      was: [FRONT, policy({ ...CRM, until: UNTIL })],
      is: [FRONT, policy(CRM)],
      risks: ['fence-widened'],
    },
    { name: 'an end set', was: [FRONT, policy(CRM)], is: [FRONT, policy({ ...CRM, until: UNTIL })], risks: [] },
    {
      name: 'a network grown',
      was: net({}, names),
      is: net({ cidrs: ['192.0.2.0/24', '198.51.100.0/24'] }, names),
      risks: ['fence-widened'],
    },
    { name: 'a network shrunk', was: net({}, names), is: net({ cidrs: ['192.0.2.0/25'] }, names), risks: [] },
    { name: 'an exception less', was: net({}, names), is: net({ except: [] }, names), risks: ['fence-widened'] },
    {
      name: 'expires later',
      was: net({ expires: UNTIL }, names),
      is: net({ expires: LATER }, names),
      risks: ['fence-widened'],
    },
    { name: 'expires never', was: net({ expires: UNTIL }, names), is: net({}, names), risks: ['fence-widened'] },
    {
      name: 'a list of what is denied grown',
      was: denying,
      is: net({ cidrs: ['192.0.0.0/16'], except: ['192.0.2.66'] }, DENY),
      risks: [],
    },
    {
      name: 'a network grown that nobody names',
      was: net({}),
      is: net({ cidrs: ['192.0.0.0/16'] }),
      risks: ['fence-widened'],
    },
    {
      name: 'management widened',
      was: host,
      is: [HOST, { ...GUARD, management: ['10.99.0.0/16'] }, FRONT, policy(CRM)],
      risks: ['fence-widened'],
    },
    { name: 'management gone, so observed only', was: host, is: [HOST, FRONT, policy(CRM)], risks: ['mode-lowered'] },
    { name: 'a deny rule gone', was: denying, is: base, risks: ['deny-removed'] },
    { name: 'a deny rule renamed', was: denying, is: deny({ id: 'x' }), risks: ['deny-removed'] },
    { name: 'a deny rule that allows', was: denying, is: deny({ action: 'allow' }), risks: ['deny-removed'] },
    {
      name: 'a deny rule with a source less',
      was: denying,
      is: deny({ from: [{ network: 'branch' }] }),
      risks: ['deny-removed'],
    },
    {
      name: 'a deny rule with a source more',
      was: denying,
      is: deny({ from: [...DENY.from, { cidr: '203.0.113.0/24' }] }),
      risks: [],
    },
    { name: 'a deny rule on some ports', was: denying, is: deny({ ports: ['tcp/443'] }), risks: ['deny-removed'] },
    {
      name: 'a deny rule on some requests',
      was: denying,
      is: deny({ http: [{ methods: ['POST'] }] }),
      risks: ['deny-removed'],
    },
    { name: 'a deny rule that ends', was: denying, is: deny({ until: UNTIL }), risks: ['deny-removed'] },
    { name: 'a deny rule that ends later', was: deny({ until: UNTIL }), is: deny({ until: LATER }), risks: [] },
    {
      name: 'a denied network shrunk',
      was: denying,
      is: net({ cidrs: ['192.0.2.0/25'] }, DENY),
      risks: ['deny-removed'],
    },
    {
      name: 'an exception from what is denied',
      was: denying,
      is: net({ except: ['192.0.2.66', '192.0.2.67'] }, DENY),
      risks: ['deny-removed'],
    },
    { name: 'a denied network that expires', was: denying, is: net({ expires: UNTIL }, DENY), risks: ['deny-removed'] },
    {
      name: 'a label that a deny rule looked for',
      was: [FRONT, policy({ ...DENY, from: [{ any: true }], to: "env == 'prod'" })],
      is: [
        { ...FRONT, labels: { app: 'shop' } },
        { ...FRONT, name: 'b', bind: 'b' },
        policy({ ...DENY, from: [{ any: true }], to: "env == 'prod'" }),
      ],
      risks: ['deny-removed'],
    },
    {
      name: 'a service that a deny rule names, narrowed',
      was: [FRONT, WEB, policy({ ...DENY, from: [{ any: true }], services: ['web'] })],
      is: [FRONT, { ...WEB, ports: ['tcp/443'] }, policy({ ...DENY, from: [{ any: true }], services: ['web'] })],
      risks: ['deny-removed'],
    },
    {
      name: 'enforce to observe',
      was: base,
      is: [{ ...FRONT, mode: 'observe' }, NET, policy(CRM)],
      risks: ['mode-lowered'],
    },
    {
      name: 'enforce by default to observe',
      was: base,
      is: [without(FRONT, 'mode'), NET, policy(CRM)],
      risks: ['mode-lowered'],
    },
    {
      name: 'observe to off',
      was: [{ ...FRONT, mode: 'observe' }],
      is: [{ ...FRONT, mode: 'off' }],
      risks: ['mode-lowered'],
    },
    { name: 'off to enforce', was: [{ ...FRONT, mode: 'off' }], is: [FRONT], risks: [] },
    { name: 'an object gone', was: host, is: [GUARD, FRONT, policy(CRM)], risks: ['mode-lowered'] },
    { name: 'an object at another point', was: [FRONT], is: [{ ...FRONT, point: 'edge-2' }], risks: ['mode-lowered'] },
    {
      name: 'a proxy more',
      was: [FRONT],
      is: [{ ...FRONT, trustedProxies: ['198.51.100.0/28'] }],
      risks: ['proxies-widened'],
    },
    {
      name: 'a proxy less',
      was: [{ ...FRONT, trustedProxies: ['198.51.100.0/28'] }],
      is: [FRONT],
      risks: ['proxies-widened'],
    },
    { name: '20 rules', was: base, is: [FRONT, NET, many(20)], risks: [] },
    { name: '21 rules', was: base, is: [FRONT, NET, many(21)], risks: ['many-rules'] },
    { name: '21 rules gone', was: [FRONT, NET, many(21)], is: base, risks: ['many-rules'] },
    { name: 'a test more', was: base, is: [FRONT, NET, { ...policy(CRM), tests }], risks: [] },
    { name: 'a test gone', was: [FRONT, NET, { ...policy(CRM), tests }], is: base, risks: ['tests-removed'] },
    {
      name: 'a test turned round',
      was: [FRONT, { ...policy(CRM), tests }],
      is: [FRONT, { ...policy(CRM), tests: [{ ...tests[0], expect: 'deny' }] }],
      risks: ['tests-removed'],
    },
    {
      name: 'a test in another policy',
      was: [FRONT, { ...policy(CRM), tests }],
      is: [FRONT, policy(CRM), { kind: 'Policy', name: 'x', rules: [], tests }],
      risks: [],
    },
  ];
  for (const { name, was, is, risks } of table) {
    const found = risksOf(bundle(...was), bundle(...is));
    t.strictSame([...new Set(found.map(({ risk }) => risk))].sort(), risks, name);
  }
  t.end();
});

/** Prefixes of /8 that do not touch. */
function eights(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${2 * (from + i)}.0.0.0/8`);
}

const BOTH = { ...FRONT, ports: ['tcp/443', 'tcp/8443'] };
const OTHER = { ...FRONT, name: 'b', bind: 'b', labels: { app: 'x' } };

t.test('what reaches an object is judged as a whole, however it is cut into terms and rules', (t) => {
  const cidrs = (id: string, from: number, count: number, change: object = {}): object => ({
    ...CRM,
    id,
    from: eights(from, count).map((cidr) => ({ cidr })),
    ...change,
  });
  const fenced = (id: string, from: number, count: number, change: object = {}): object => ({
    ...CRM,
    id,
    from: eights(from, count).map((it) => ({ workloads: "app == 'crm'", within: [it], max: 9 })),
    ...change,
  });
  const split = Array.from({ length: 256 }, (_, i) => ({
    workloads: "app == 'crm'",
    within: [`${i}.0.0.0/8`],
    max: 1,
  }));
  const ports = ['tcp/443', 'tcp/8443'];
  const wide = { ...ANY, ports };
  const unfenced = { ...CRM, from: [{ workloads: "app == 'crm'" }], ports };
  const get = { http: [{ methods: ['GET'] }] };
  const table: { name: string; was: object[] | null; is: object[]; risks: Risk[] }[] = [
    { name: '256 fences of one rule', was: null, is: [FRONT, policy({ ...CRM, from: split })], risks: ['unfenced'] },
    {
      name: 'fences of two rules',
      was: null,
      is: [FRONT, policy(fenced('a', 0, 3), fenced('b', 3, 3))],
      risks: ['unfenced'],
    },
    {
      name: 'fences of two rules at two ports',
      was: null,
      is: [BOTH, policy(fenced('a', 0, 3), fenced('b', 3, 3, { ports: ['tcp/8443'] }))],
      risks: [],
    },
    {
      name: 'fences of two rules at two objects',
      was: null,
      is: [FRONT, OTHER, policy(fenced('a', 0, 3), fenced('b', 3, 3, { to: "app == 'x'" }))],
      risks: [],
    },
    { name: 'CIDRs of one rule', was: null, is: [FRONT, policy(cidrs('a', 0, 4))], risks: [] },
    {
      name: 'CIDRs of two rules',
      was: null,
      is: [FRONT, policy(cidrs('a', 0, 4), cidrs('b', 4, 1))],
      risks: ['any-source'],
    },
    {
      name: 'CIDRs beside those of before',
      was: [FRONT, policy(cidrs('a', 0, 4))],
      is: [FRONT, policy(cidrs('a', 0, 4), cidrs('b', 4, 1))],
      risks: ['any-source'],
    },
    {
      name: 'CIDRs beside a network',
      was: [
        FRONT,
        { ...NET, cidrs: eights(0, 3) },
        policy(cidrs('a', 4, 2), { ...ANY, from: [{ network: 'branch' }], to: "app == 'x'" }),
        OTHER,
      ],
      is: [
        FRONT,
        { ...NET, cidrs: eights(0, 3) },
        policy(cidrs('a', 4, 2), { ...ANY, from: [{ network: 'branch' }] }),
        OTHER,
      ],
      risks: ['any-source'],
    },
    {
      name: 'a wide sum that was approved, and something else',
      was: [BOTH, policy(cidrs('a', 0, 4), cidrs('b', 4, 4))],
      is: [BOTH, policy(cidrs('a', 0, 4), cidrs('b', 4, 4), cidrs('c', 9, 1, { ports: ['tcp/8443'] }))],
      risks: [],
    },
    {
      name: 'a wide sum on a port more',
      was: [BOTH, policy(cidrs('a', 0, 4), cidrs('b', 4, 4))],
      is: [BOTH, policy(cidrs('a', 0, 4, { ports }), cidrs('b', 4, 4, { ports }))],
      risks: ['any-source'],
    },
    {
      name: 'a wide sum without its conditions',
      was: [FRONT, policy(cidrs('a', 0, 4, get), cidrs('b', 4, 4, get))],
      is: [FRONT, policy(cidrs('a', 0, 4), cidrs('b', 4, 4, get))],
      risks: ['any-source'],
    },
    {
      name: 'a wide sum in other pieces',
      was: [FRONT, policy(cidrs('a', 0, 4), cidrs('b', 4, 4))],
      is: [FRONT, policy(cidrs('a', 0, 3), cidrs('b', 3, 3), cidrs('c', 6, 2))],
      risks: [],
    },
    {
      name: 'any, and a port more at the object',
      was: [FRONT, policy(wide)],
      is: [BOTH, policy(wide)],
      risks: ['any-source'],
    },
    {
      name: 'labels alone, and a port more at the object',
      was: [FRONT, policy(unfenced)],
      is: [BOTH, policy(unfenced)],
      risks: ['unfenced'],
    },
    { name: 'any, and a port less at the object', was: [BOTH, policy(wide)], is: [FRONT, policy(wide)], risks: [] },
    {
      name: 'any, and a port that the rule does not open',
      was: [FRONT, policy(ANY)],
      is: [BOTH, policy(ANY)],
      risks: [],
    },
    {
      name: 'any, and an object more',
      was: [FRONT, policy(ANY)],
      is: [FRONT, { ...FRONT, name: 'b', bind: 'b' }, policy(ANY)],
      risks: ['any-source'],
    },
    {
      name: 'labels alone, and an object more',
      was: [FRONT, policy(unfenced)],
      is: [FRONT, { ...FRONT, name: 'b', bind: 'b' }, policy(unfenced)],
      risks: ['unfenced'],
    },
    {
      name: 'labels alone, and a host more whose port no rule opens',
      was: [FRONT, GUARD, policy({ ...unfenced, to: 'all()' })],
      is: [FRONT, HOST, GUARD, policy({ ...unfenced, to: 'all()' })],
      risks: [],
    },
    {
      name: 'labels alone, and a host more',
      was: [FRONT, GUARD, policy({ ...unfenced, to: 'all()' })],
      is: [FRONT, { ...HOST, ports: ['tcp/443'] }, GUARD, policy({ ...unfenced, to: 'all()' })],
      risks: ['unfenced'],
    },
    {
      name: 'labels alone, selecting one more',
      was: [FRONT, OTHER, policy(unfenced)],
      is: [FRONT, { ...OTHER, labels: FRONT.labels }, policy(unfenced)],
      risks: ['unfenced'],
    },
    {
      name: 'a fence, selecting one more',
      was: [FRONT, OTHER, policy(CRM)],
      is: [FRONT, { ...OTHER, labels: FRONT.labels }, policy(CRM)],
      risks: ['fence-widened'],
    },
    {
      name: 'a fence, and an object more',
      was: [FRONT, policy(CRM)],
      is: [FRONT, { ...FRONT, name: 'b', bind: 'b' }, policy(CRM)],
      risks: [],
    },
    {
      name: 'a condition dropped inside a fence',
      was: [FRONT, policy({ ...CRM, ...get })],
      is: [FRONT, policy(CRM)],
      risks: [],
    },
    {
      name: 'a condition dropped from any',
      was: [FRONT, policy({ ...ANY, ...get })],
      is: [FRONT, policy(ANY)],
      risks: ['any-source'],
    },
  ];
  for (const { name, was, is, risks } of table) {
    const found = risksOf(was === null ? null : bundle(...was), bundle(...is));
    t.strictSame([...new Set(found.map(({ risk }) => risk))].sort(), risks, name);
  }
  t.end();
});

t.test('another name for a rule hides nothing that it opens', (t) => {
  const fence = (id: string, within: string, max?: number, change: object = {}): object => {
    const from = [{ workloads: "app == 'crm'", within: [within], ...(max === undefined ? {} : { max }) }];
    return { ...CRM, id, from, ...change };
  };
  const cidr = (id: string, it: string, change: object = {}): object => ({
    ...CRM,
    id,
    from: [{ cidr: it }],
    ...change,
  });
  const names = (id: string, network: string): object => ({ ...CRM, id, from: [{ network }] });
  const narrow = fence('a', '10.1.0.0/24', 5);
  const ends = { until: UNTIL };
  const grown = { ...NET, name: 'grown', cidrs: ['192.0.0.0/16'] };
  const ending = { ...NET, expires: UNTIL };
  const table: { name: string; was: object[]; is: object[]; risks: Risk[] }[] = [
    { name: 'the same', was: [FRONT, policy(narrow)], is: [FRONT, policy(fence('b', '10.1.0.0/24', 5))], risks: [] },
    { name: 'narrower', was: [FRONT, policy(narrow)], is: [FRONT, policy(fence('b', '10.1.0.0/25', 4))], risks: [] },
    {
      name: 'a wider fence',
      was: [FRONT, policy(narrow)],
      is: [FRONT, policy(fence('b', '10.0.0.0/8', 5))],
      risks: ['fence-widened'],
    },
    {
      name: 'a wider fence beside',
      was: [FRONT, policy(narrow)],
      is: [FRONT, policy(narrow, fence('b', '10.0.0.0/8', 5))],
      risks: ['fence-widened'],
    },
    {
      name: 'more members',
      was: [FRONT, policy(narrow)],
      is: [FRONT, policy(fence('b', '10.1.0.0/24', 6))],
      risks: ['fence-widened'],
    },
    {
      name: 'any number of members',
      was: [FRONT, policy(narrow)],
      is: [FRONT, policy(fence('b', '10.1.0.0/24'))],
      risks: ['fence-widened'],
    },
    {
      name: 'more members in two pieces',
      was: [FRONT, policy(narrow)],
      is: [FRONT, policy(narrow, fence('b', '10.1.0.0/25', 5))],
      risks: ['fence-widened'],
    },
    {
      name: 'no end',
      was: [FRONT, policy({ ...narrow, ...ends })],
      is: [FRONT, policy(fence('b', '10.1.0.0/24', 5))],
      risks: ['fence-widened'],
    },
    {
      name: 'an end',
      was: [FRONT, policy(narrow)],
      is: [FRONT, policy(fence('b', '10.1.0.0/24', 5, ends))],
      risks: [],
    },
    {
      name: 'a CIDR without its end',
      was: [FRONT, policy(cidr('a', '10.9.0.0/24', ends))],
      is: [FRONT, policy(cidr('b', '10.9.0.0/24'))],
      risks: ['fence-widened'],
    },
    {
      name: 'a part of it, without its end',
      was: [FRONT, policy(cidr('a', '10.9.0.0/24', ends))],
      is: [FRONT, policy(cidr('b', '10.9.0.0/25'))],
      risks: ['fence-widened'],
    },
    {
      name: 'a wider CIDR',
      was: [FRONT, policy(cidr('a', '10.9.0.0/24'))],
      is: [FRONT, policy(cidr('b', '10.8.0.0/15'))],
      risks: ['fence-widened'],
    },
    {
      name: 'a CIDR in two',
      was: [FRONT, policy(cidr('a', '10.8.0.0/15'))],
      is: [FRONT, policy(cidr('b', '10.8.0.0/16'), cidr('c', '10.9.0.0/16'))],
      risks: [],
    },
    {
      name: 'a CIDR elsewhere',
      was: [FRONT, policy(cidr('a', '10.9.0.0/24'))],
      is: [FRONT, policy(cidr('b', '172.16.0.0/24'))],
      risks: [],
    },
    {
      name: 'a wider network',
      was: [FRONT, NET, grown, policy(names('a', 'branch'))],
      is: [FRONT, NET, grown, policy(names('b', 'grown'))],
      risks: ['fence-widened'],
    },
    {
      name: 'a network without its exceptions, as a CIDR',
      was: [FRONT, NET, policy(names('a', 'branch'))],
      is: [FRONT, NET, policy(cidr('b', '192.0.2.0/24'))],
      risks: ['fence-widened'],
    },
    {
      name: 'a network without its end, as a CIDR',
      was: [FRONT, { ...ending, except: [] }, policy(names('a', 'branch'))],
      is: [FRONT, { ...ending, except: [] }, policy(cidr('b', '192.0.2.0/24'))],
      risks: ['fence-widened'],
    },
    {
      name: 'a network, as a part of it',
      was: [FRONT, NET, policy(names('a', 'branch'))],
      is: [FRONT, NET, policy(cidr('b', '192.0.2.128/25'))],
      risks: [],
    },
    {
      name: 'labels beside a network',
      was: [FRONT, NET, policy(names('a', 'branch'))],
      is: [
        FRONT,
        NET,
        policy({ ...CRM, id: 'a', from: [{ network: 'branch' }, { workloads: "app == 'x'", within: ['10.0.0.0/8'] }] }),
      ],
      risks: ['fence-widened'],
    },
    { name: 'a first fence', was: [FRONT, policy()], is: [FRONT, policy(narrow)], risks: ['fence-widened'] },
    {
      name: 'a fence of another object',
      was: [FRONT, OTHER, policy({ ...narrow, to: "app == 'x'" })],
      is: [FRONT, OTHER, policy(narrow)],
      risks: ['fence-widened'],
    },
    { name: 'a first fence at a new object', was: [OTHER, policy()], is: [OTHER, FRONT, policy(narrow)], risks: [] },
    { name: 'any made a fence', was: [FRONT, policy(ANY)], is: [FRONT, policy(narrow)], risks: [] },
    {
      name: 'a deny rule made a fence',
      was: [FRONT, policy({ ...narrow, action: 'deny' })],
      is: [FRONT, policy(narrow)],
      risks: ['deny-removed', 'fence-widened'],
    },
  ];
  for (const { name, was, is, risks } of table) {
    const found = risksOf(bundle(...was), bundle(...is));
    t.strictSame([...new Set(found.map(({ risk }) => risk))].sort(), risks, name);
  }
  t.end();
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
