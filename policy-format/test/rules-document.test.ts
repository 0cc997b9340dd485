/** A rules document is read in one form only, and holds together when it is read. */
import assert from 'node:assert/strict';
import { type Finding, linkModel, type PointRule, type PointRules, slicePolicy } from '@edgeward/policy';
import {
  canonicalJson,
  digestOf,
  FEATURES,
  LIMITS,
  requiredFeatures,
  rulesBytes,
  rulesOf,
} from '@edgeward/policy-format';
import fc from 'fast-check';
import t from 'tap';
import { asSource } from '../../policy/test/compiled.ts';
import { arbitraryDirectory } from '../../policy/test/generators/documents.ts';
import { search } from '../../policy/test/runs.ts';

const slices = (documents: unknown[]): PointRules[] => {
  const findings: Finding[] = [];
  const model = linkModel(documents.map(asSource), findings);
  assert.deepEqual(
    findings.filter((finding) => finding.severity === 'error'),
    [],
  );
  return slicePolicy(model, digestOf);
};

const DOCUMENTS = [
  { kind: 'Point', name: 'edge-1', management: ['10.99.0.0/24'] },
  {
    kind: 'VirtualServer',
    name: 'front',
    labels: { app: 'shop', 'example.com/role': 'web' },
    point: 'edge-1',
    bind: '/Common/vs_front',
    ports: ['tcp/443', 'tcp/8443'],
    trustedProxies: ['198.51.100.0/28'],
    mode: 'enforce',
  },
  {
    kind: 'Workload',
    name: 'host-1',
    labels: { app: 'db' },
    addresses: [],
    point: 'edge-1',
    ports: ['tcp/5432', 'udp/53'],
    mode: 'enforce',
  },
  {
    kind: 'Network',
    name: 'branches',
    cidrs: ['192.0.2.0/24', '2001:db8:7::/48'],
    except: ['192.0.2.66'],
    expires: '2027-01-31T00:00:00Z',
  },
  {
    kind: 'Policy',
    name: 'shop',
    rules: [
      {
        id: 'a-crm',
        from: [{ workloads: "app == 'crm' && env in {'prod', 'stage'}", within: ['10.30.0.0/16'], max: 200 }],
        to: "app == 'shop'",
        ports: ['tcp/443'],
        http: [{ methods: ['GET', 'POST'], path: '/v1/orders/*', hosts: ['shop.example'] }],
        until: '2026-12-24T18:00:00Z',
      },
      { id: 'b-net', from: [{ network: 'branches' }, { cidr: '203.0.113.0/24' }], to: 'all()' },
      { id: 'c-deny', from: [{ any: true }], to: "app == 'db'", action: 'deny' },
    ],
  },
];

const good = (): PointRules => structuredClone(slices(DOCUMENTS)[0]) as PointRules;

t.test('groups that were read before are not read again, and every other one is', async (t) => {
  const before = good();
  t.strictSame(rulesOf(rulesBytes(good()), 'edge-1', before), before);
  const crm = (rules: PointRules) => rules.groups.find((it) => it.kind === 'workloads');
  const changed = good();
  Object.assign(crm(changed) ?? {}, { selector: "app == 'other'" });
  const fenced = good();
  Object.assign(crm(fenced) ?? {}, { within: ['0.0.0.0/0', '10.0.0.0/8'] });
  for (const [name, rules] of Object.entries({ changed, fenced }))
    t.throws(() => rulesOf(rulesBytes(rules), 'edge-1', before), { code: 'EDW_ERR_FORMAT_RULES' }, name);
});

t.test('whatever a policy directory says, its slices are read as they were written', async (t) => {
  fc.assert(
    fc.property(arbitraryDirectory(), (documents) => {
      for (const slice of slices(documents)) {
        const bytes = rulesBytes(slice);
        assert.equal(canonicalJson(rulesOf(bytes, slice.point)), bytes.toString());
      }
    }),
    search(t, 200),
  );
});

t.test('a slice that uses every field is read, and says what must be known for it', async (t) => {
  const rules = good();
  t.strictSame(JSON.parse(JSON.stringify(rulesOf(rulesBytes(rules), 'edge-1'))), JSON.parse(JSON.stringify(rules)));
  t.strictSame(
    requiredFeatures(rules),
    FEATURES.filter((it) => it !== 'break-glass'),
  );
  t.strictSame(requiredFeatures({ format: 1, point: 'edge-1', objects: [], groups: [], rules: [] }), []);
});

/** A change of the good document, and a word of the refusal. */
type Break = [name: string, change: (rules: PointRules) => unknown, message: RegExp];

/** One entry of the good document, as fields that may be given any value. */
const part = (list: readonly unknown[], key: string, value: string): Record<string, unknown> =>
  list.find((it) => (it as Record<string, unknown>)[key] === value) as Record<string, unknown>;
const groupOf = (rules: PointRules, kind: string) => part(rules.groups, 'kind', kind);
const object = (rules: PointRules, name: string) => part(rules.objects, 'name', name);
const rule = (rules: PointRules, at: number) => rules.rules[at] as PointRule;
const condition = (rules: PointRules) => rule(rules, 0).http?.[0] as object;

const BREAKS: Break[] = [
  ['a key too many', (it) => Object.assign(it, { more: 1 }), /more/],
  ['a key too few', (it) => Reflect.deleteProperty(rule(it, 0), 'until'), /until/],
  ['another format', (it) => Object.assign(it, { format: 2 }), /format/],
  ['objects out of order', (it) => it.objects.reverse(), /objects are not in the order/],
  ['an object twice', (it) => it.objects.push(...it.objects.slice(1)), /objects are not in the order/],
  ['groups out of order', (it) => it.groups.reverse(), /groups are not in the order/],
  ['rules out of order', (it) => it.rules.reverse(), /rules are not in the order/],
  ['a rule twice', (it) => it.rules.push(rule(it, 2)), /rules are not in the order/],
  ['a rule that names a group that is not there', (it) => rule(it, 2).from.push('g.ffffffffffffffff'), /not there/],
  ['a rule that names an object that is not there', (it) => rule(it, 2).to.push('zz'), /not there/],
  ['a rule that names nobody', (it) => Object.assign(rule(it, 2), { from: [] }), /from/],
  ['a rule that names no object', (it) => Object.assign(rule(it, 2), { to: [] }), /to/],
  [
    'a rule that names an object twice',
    (it) => rule(it, 2).to.push(...rule(it, 2).to.slice(0, 1)),
    /in order, each once/,
  ],
  ['a group that no rule names', (it) => it.rules.pop(), /no rule names the group/],
  [
    'a group under the name of another',
    (it) => Object.assign(groupOf(it, 'cidr'), { cidr: '203.0.114.0/24' }),
    /not the name/,
  ],
  [
    'a fence that is not the one of the name',
    (it) => Object.assign(groupOf(it, 'workloads'), { within: ['10.0.0.0/8'] }),
    /not the name/,
  ],
  [
    'no fence where the name has one',
    (it) => Object.assign(groupOf(it, 'workloads'), { within: null }),
    /not the name/,
  ],
  [
    'a fence in halves',
    (it) => Object.assign(groupOf(it, 'workloads'), { within: ['10.30.0.0/17', '10.30.128.0/17'] }),
    /fence/,
  ],
  ['a fence of nothing', (it) => Object.assign(groupOf(it, 'workloads'), { within: [] }), /not the name|fence/],
  ['a fence with host bits', (it) => Object.assign(groupOf(it, 'workloads'), { within: ['10.30.0.1/16'] }), /one form/],
  [
    'a selector with a space too many',
    (it) => Object.assign(groupOf(it, 'workloads'), { selector: "app == 'crm' " }),
    /one form/,
  ],
  ['a selector that is none', (it) => Object.assign(groupOf(it, 'workloads'), { selector: 'app ==' }), /one form/],
  [
    'a number that must not be exceeded, below nothing',
    (it) => Object.assign(groupOf(it, 'workloads'), { max: -1 }),
    /max/,
  ],
  [
    'a number that must not be exceeded, in halves',
    (it) => Object.assign(groupOf(it, 'workloads'), { max: 0.5 }),
    /max/,
  ],
  [
    'a single address without its prefix',
    (it) => Object.assign(groupOf(it, 'network'), { except: ['192.0.2.66'] }),
    /one form/,
  ],
  ['a network out of order', (it) => (groupOf(it, 'network').cidrs as string[]).reverse(), /one form/],
  [
    'an expiry without milliseconds',
    (it) => Object.assign(groupOf(it, 'network'), { expires: '2027-01-31T00:00:00Z' }),
    /expires/,
  ],
  ['an end that is no day', (it) => Object.assign(rule(it, 0), { until: '2026-02-31T00:00:00.000Z' }), /until/],
  ['a group of no kind', (it) => Object.assign(groupOf(it, 'any'), { kind: 'all' }), /kind/],
  ['ports out of order', (it) => (object(it, 'front').ports as string[]).reverse(), /ports of 'front'/],
  [
    'ports that meet',
    (it) => Object.assign(object(it, 'front'), { ports: ['tcp/443', 'tcp/444'] }),
    /ports of 'front'/,
  ],
  ['a port range upside down', (it) => Object.assign(object(it, 'front'), { ports: ['tcp/9-8'] }), /ports of 'front'/],
  ['ports of a rule that are none', (it) => Object.assign(rule(it, 0), { ports: ['443'] }), /ports of the rule/],
  [
    'udp for an object whose requests are judged',
    (it) => (object(it, 'front').ports as string[]).push('udp/443'),
    /udp/,
  ],
  [
    'a proxy with host bits',
    (it) => Object.assign(object(it, 'front'), { trustedProxies: ['198.51.100.1/28'] }),
    /trusted proxies/,
  ],
  ['a failsafe of no host', (it) => Object.assign(object(it, 'front'), { failsafe: ['10.0.0.0/8'] }), /no host/],
  [
    'a host that is enforced without a failsafe',
    (it) => Object.assign(object(it, 'host-1'), { failsafe: [] }),
    /no failsafe/,
  ],
  ['a host that is bound to another name', (it) => Object.assign(object(it, 'host-1'), { bind: 'front' }), /bound/],
  ['a host that judges requests', (it) => Object.assign(object(it, 'host-1'), { protocol: 'http' }), /judge requests/],
  [
    'conditions for an object without requests',
    (it) => Object.assign(rule(it, 0), { to: ['front', 'host-1'] }),
    /conditions on requests/,
  ],
  ['a label that is none', (it) => Object.assign(object(it, 'front').labels as object, { 'a b': 'x' }), /label/],
  [
    'a label value with a line end',
    (it) => Object.assign(object(it, 'front').labels as object, { app: 'x\ny' }),
    /label/,
  ],
  ['a bind that would leave its text', (it) => Object.assign(object(it, 'front'), { bind: 'x];exec y' }), /bind/],
  ['a path in a name', (it) => Object.assign(rule(it, 0), { id: '../a' }), /id/],
  ['a condition without a condition', (it) => rule(it, 0).http?.push({}), /condition/],
  ['a condition in capitals', (it) => Object.assign(condition(it), { hosts: ['Shop.example'] }), /one form/],
  ['a method in small letters', (it) => Object.assign(condition(it), { methods: ['get'] }), /method/],
  ['a path that climbs', (it) => Object.assign(condition(it), { path: '/a/../b' }), /path/],
  ['a condition that is not known', (it) => Object.assign(condition(it), { header: 'x' }), /header/],
];

t.test('a rules document in any other form is refused', async (t) => {
  for (const [name, change, message] of BREAKS) {
    const rules = good();
    change(rules);
    t.throws(
      () => rulesOf(Buffer.from(canonicalJson(rules)), 'edge-1'),
      { code: 'EDW_ERR_FORMAT_RULES', message },
      name,
    );
  }
});

t.test('what was read before hides no fault, and makes no other', async (t) => {
  const told = (rules: PointRules, before: PointRules | null): string => {
    try {
      return canonicalJson(rulesOf(Buffer.from(canonicalJson(rules)), 'edge-1', before));
    } catch (thrown) {
      return String(thrown);
    }
  };
  const edited = good();
  Object.assign(condition(edited), { path: '/v2/*' });
  const fewer = good();
  fewer.objects.pop();
  fewer.rules = fewer.rules.map((it) => ({ ...it, to: it.to.filter((name) => name !== 'host-1') }));
  fewer.rules = fewer.rules.filter((it) => it.to.length > 0);
  const elsewhere = { ...good(), point: 'edge-2' };
  const befores = { 'the same': good(), 'another edition': edited, 'fewer of all': fewer, 'another point': elsewhere };
  for (const [known, before] of Object.entries(befores)) {
    t.equal(told(good(), before), told(good(), null), known);
    for (const [name, change] of BREAKS) {
      const rules = good();
      change(rules);
      t.equal(told(rules, before), told(rules, null), `${name}, after ${known}`);
    }
  }
});

t.test('two objects that are bound alike are refused, also where one was read before', async (t) => {
  const before = good();
  const server = before.objects.find((it) => it.kind === 'virtual-server');
  const rules = good();
  rules.objects = [...rules.objects, { ...server, name: 'zz' } as PointRules['objects'][number]];
  t.throws(() => rulesOf(rulesBytes(rules), 'edge-1', before), { code: 'EDW_ERR_FORMAT_RULES', message: /vs_front/ });
});

t.test('what two editions have in common is one object in both', async (t) => {
  const before = rulesOf(rulesBytes(good()), 'edge-1');
  const edited = good();
  Object.assign(condition(edited), { path: '/v2/*' });
  const after = rulesOf(rulesBytes(edited), 'edge-1', before);
  t.equal(canonicalJson(after), rulesBytes(edited).toString());
  t.strictSame(
    after.rules.map((it) => before.rules.includes(it)),
    [false, true, true],
  );
  t.ok([...after.groups, ...after.objects].every((it) => [...before.groups, ...before.objects].includes(it as never)));
});

t.test('bytes that are not the canonical ones are refused before anything in them is looked at', async (t) => {
  const text = rulesBytes(good()).toString();
  const deep = `${'['.repeat(LIMITS.depth + 1)}${']'.repeat(LIMITS.depth + 1)}`;
  for (const [name, bytes, code] of [
    ['white space', text.replace('{', '{ '), 'NOT_CANONICAL'],
    ['a key twice', text.replace('"format":1', '"format":1,"format":1'), 'NOT_CANONICAL'],
    ['keys out of order', JSON.stringify({ rules: [], ...JSON.parse(text) }), 'NOT_CANONICAL'],
    ['__proto__', text.replace('"labels":{', '"labels":{"__proto__":"x",'), 'NOT_CANONICAL'],
    ['nested too deep', deep, 'DEPTH'],
    ['cut', text.slice(0, -1), 'NOT_CANONICAL'],
  ] as const)
    t.throws(() => rulesOf(Buffer.from(bytes), 'edge-1'), { code: `EDW_ERR_FORMAT_${code}` }, name);
});

t.test('the rules of another point are refused', async (t) => {
  t.throws(() => rulesOf(rulesBytes(good()), 'edge-2'), { code: 'EDW_ERR_RULES_POINT' });
});
