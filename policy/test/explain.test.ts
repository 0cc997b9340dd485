/** Verdicts in words, and for a denial the rule that came nearest and the one thing that it missed. */
import type { Explanation, Flow } from '@edgeward/policy';
import { explain, identitiesOf, pointViews, reasonInWords } from '@edgeward/policy';
import t from 'tap';
import { host, NOW, network, policy, rule, server, shop, workload } from './cases/case.ts';
import { compileDocuments, digest } from './compiled.ts';

const ask = (documents: unknown[], flow: Partial<Flow>): Explanation => {
  const { resolution } = compileDocuments(documents, NOW);
  const whole = { from: '10.30.1.4', to: 'front', port: 'tcp/443', ...flow };
  return explain(identitiesOf(resolution), pointViews(resolution, digest).forObject(whole.to), whole);
};

const crm = workload({ labels: { app: 'crm', env: 'prod' } });
const fromCrm = (selector: string, rest: object = {}): object[] => [{ workloads: selector, ...rest }];
const http = [{ methods: ['GET', 'HEAD'], path: '/v1/*', hosts: ['shop.example'] }];
const good = { method: 'GET', path: '/v1/a', host: 'shop.example' };

interface Near {
  name: string;
  documents: unknown[];
  flow?: Partial<Flow>;
  reason: string;
  rule?: string;
  missed: string;
}

const sources: Near[] = [
  {
    name: 'a label with another value',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm' && env == 'test'") })],
    reason: 'unknown-source',
    missed: "source: needs env == 'test', has 'prod'",
  },
  {
    name: 'a label that is not there',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm' && has(tier)") })],
    reason: 'unknown-source',
    missed: 'source: needs has(tier), has no such label',
  },
  {
    name: 'a label that must not be there',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm' && !has(env)") })],
    reason: 'unknown-source',
    missed: "source: needs !has(env), has 'prod'",
  },
  {
    name: 'a label called like what every object inherits',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm' && constructor == 'x'") })],
    reason: 'unknown-source',
    missed: "source: needs constructor == 'x', has no such label",
  },
  {
    name: 'of several alternatives the one that lacks least',
    documents: [crm, ...shop({ from: fromCrm("app == 'a' && env == 'b' || app == 'crm' && env in {'x', 'y'}") })],
    reason: 'unknown-source',
    missed: "source: needs env in {'x', 'y'}, has 'prod'",
  },
  {
    name: 'an address outside the fence',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm'", { within: ['10.31.0.0/16'] }) })],
    reason: 'unknown-source',
    missed: 'source: its address is outside the fence 10.31.0.0/16',
  },
  {
    name: 'an address outside the fence, though another alternative asks for another label',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm' || app == 'erp'", { within: ['10.31.0.0/16'] }) })],
    reason: 'unknown-source',
    missed: 'source: its address is outside the fence 10.31.0.0/16',
  },
  {
    name: 'an address outside the fence, though another term asks for another label',
    documents: [
      crm,
      ...shop({ from: [...fromCrm("app == 'erp'"), ...fromCrm("app == 'crm'", { within: ['10.31.0.0/16'] })] }),
    ],
    reason: 'unknown-source',
    missed: 'source: its address is outside the fence 10.31.0.0/16',
  },
  {
    name: 'an address that nobody has',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm'") })],
    flow: { from: '10.9.9.9' },
    reason: 'unknown-source',
    missed: 'source: the address is in none of app=crm',
  },
  {
    name: 'an address that is in no network, of many',
    documents: [
      network(),
      ...shop({ from: [{ network: 'branches' }, ...[1, 2, 3, 4].map((n) => ({ cidr: `203.0.113.${n}` }))] }),
    ],
    flow: { from: '10.9.9.9' },
    reason: 'unknown-source',
    missed: 'source: the address is in none of network branches; 203.0.113.1; 203.0.113.2; 203.0.113.3 and 1 more',
  },
  {
    name: 'no address',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm'") })],
    flow: { from: 'unknown' },
    reason: 'unknown-source',
    missed: 'source: the address is in none of app=crm',
  },
  {
    name: 'an exception of a network',
    documents: [network({ except: ['192.0.2.66'] }), ...shop({ from: [{ network: 'branches' }] })],
    flow: { from: '192.0.2.66' },
    reason: 'unknown-source',
    missed: "source: it is an exception of the network 'branches'",
  },
  {
    name: 'a network that has expired',
    documents: [network({ expires: NOW }), ...shop({ from: [{ network: 'branches' }] })],
    flow: { from: '192.0.2.1' },
    reason: 'unknown-source',
    missed: "source: the network 'branches' expired at 2026-11-22T00:00:00.000Z",
  },
  {
    name: 'a rule that has ended',
    documents: [crm, ...shop({ from: fromCrm("app == 'crm'"), until: '2026-01-01T00:00:00Z' })],
    reason: 'unknown-source',
    missed: 'time: the rule ended at 2026-01-01T00:00:00.000Z',
  },
];

t.test('labels that were learned after the members of a revision do not blame the fence', async (t) => {
  const late = workload({ labels: { app: 'crm', env: 'dev' } });
  for (const within of [{ within: ['10.30.0.0/16'] }, {}]) {
    const from = fromCrm("app == 'crm' && env == 'prod'", within);
    const { resolution } = compileDocuments([late, ...shop({ from })], NOW);
    const known = compileDocuments([crm, ...shop({ from })], NOW).resolution;
    const identities = identitiesOf(resolution, (key) => identitiesOf(known).workloadsAt(key));
    const view = pointViews(resolution, digest).forObject('front');
    t.match(explain(identities, view, { from: '10.30.1.4', to: 'front', port: 'tcp/443' }), {
      reason: 'unknown-source',
      missed: 'source: it is no member at this revision, though the labels that are known of it now are selected',
    });
  }
});

const flows: Near[] = [
  {
    name: 'a port that the rule does not name',
    documents: [server({ ports: ['tcp/443', 'tcp/8080'] }), policy(rule({ ports: ['tcp/8000-8099', 'tcp/80'] }))],
    reason: 'port-not-allowed',
    missed: 'port: tcp/443 is not tcp/80, tcp/8000-8099',
  },
  {
    name: 'a port that the object does not list',
    documents: shop({}),
    flow: { port: 'tcp/80' },
    reason: 'port-not-allowed',
    missed: 'the object does not list tcp/80',
  },
  {
    name: 'another method',
    documents: shop({ http }),
    flow: { ...good, method: 'POST' },
    reason: 'request-not-allowed',
    missed: 'method: POST is not GET, HEAD',
  },
  {
    name: 'another path, in its plain form',
    documents: shop({ http }),
    flow: { ...good, path: '/v1/../v2?x' },
    reason: 'request-not-allowed',
    missed: 'path: /v2 is not /v1/*',
  },
  {
    name: 'another host',
    documents: shop({ http }),
    flow: { ...good, host: 'Evil.example:443' },
    reason: 'request-not-allowed',
    missed: 'host: evil.example is not shop.example',
  },
  {
    name: 'no host',
    documents: shop({ http }),
    flow: { method: 'GET', path: '/v1/a' },
    reason: 'request-not-allowed',
    missed: 'host: none is not shop.example',
  },
  {
    name: 'a request that is not there is GET /',
    documents: shop({ http: [{ methods: ['POST'] }] }),
    reason: 'request-not-allowed',
    missed: 'method: GET is not POST',
  },
  {
    name: 'of several conditions the one that lacks least',
    documents: shop({ http: [{ methods: ['PUT'], path: '/x' }, ...http] }),
    flow: { ...good, method: 'POST' },
    reason: 'request-not-allowed',
    missed: 'method: POST is not GET, HEAD',
  },
  {
    name: 'a request that is unsafe',
    documents: shop({ http }),
    flow: { ...good, path: '/v1/%2e%2e%2fadmin' },
    reason: 'bad-request',
    missed: "request: it can't be judged safely",
  },
];

const several: Near[] = [
  {
    name: 'of several rules the one that lacks least',
    documents: [
      crm,
      server(),
      policy(
        rule({ id: 'a', from: fromCrm("app == 'erp' && env == 'test'") }),
        rule({ id: 'b', from: fromCrm("app == 'crm' && env == 'test'") }),
        rule({ id: 'c', from: fromCrm("app == 'erp'"), http }),
      ),
    ],
    reason: 'unknown-source',
    rule: 'b',
    missed: "source: needs env == 'test', has 'prod'",
  },
  {
    name: 'of several that lack as much the first',
    documents: [
      crm,
      server(),
      policy(rule({ id: 'z', from: fromCrm("app == 'x'") }), rule({ id: 'B', from: fromCrm("app == 'y'") })),
    ],
    reason: 'unknown-source',
    rule: 'B',
    missed: "source: needs app == 'y', has 'crm'",
  },
  {
    name: 'a rule that names the source is nearer than one of which nothing is known',
    documents: [
      crm,
      server({ ports: ['tcp/443', 'tcp/80'] }),
      policy(
        rule({ id: 'a', from: [{ cidr: '203.0.113.0/24' }] }),
        rule({ id: 'b', from: fromCrm("app == 'crm'"), ports: ['tcp/80'] }),
      ),
    ],
    reason: 'port-not-allowed',
    rule: 'b',
    missed: 'port: tcp/443 is not tcp/80',
  },
  {
    name: 'a deny rule is never near',
    documents: [
      crm,
      server(),
      policy(
        rule({ id: 'a', from: fromCrm("env == 'test'"), action: 'deny' }),
        rule({ id: 'b', from: fromCrm("app == 'x' && env == 'y'") }),
      ),
    ],
    reason: 'unknown-source',
    rule: 'b',
    missed: "source: needs app == 'x', has 'crm'",
  },
];

for (const { name, documents, flow = {}, reason, rule: id = 'r', missed } of [...sources, ...flows, ...several]) {
  t.test(`the nearest rule missed one thing: ${name}`, async (t) => {
    const explanation = ask(documents, flow);
    t.match(explanation, { verdict: 'deny', reason, rule: null, nearestRule: id });
    t.equal(explanation.missed, missed);
    t.ok(explanation.words.endsWith(`: ${reasonInWords(reason)}; nearest rule '${id}': ${missed}`), explanation.words);
  });
}

t.test('no rule is near what a rule decided, what is allowed and what is unknown', async (t) => {
  const deny = [server(), policy(rule({ id: 'no', action: 'deny' }), rule({ id: 'yes', ports: ['tcp/80'] }))];
  const table: { name: string; documents: unknown[]; flow?: Partial<Flow>; reason: string; rule: string | null }[] = [
    { name: 'a denial by a rule', documents: deny, reason: 'denied-by-rule', rule: 'no' },
    { name: 'a permission', documents: shop({}), reason: 'allowed-by-rule', rule: 'r' },
    { name: 'an unknown object', documents: shop({}), flow: { to: 'nowhere' }, reason: 'unknown-object', rule: null },
    {
      name: 'a workload that nothing protects',
      documents: [crm, ...shop({})],
      flow: { to: 'crm-1' },
      reason: 'unknown-object',
      rule: null,
    },
    { name: 'an object without rules', documents: [server()], reason: 'unknown-source', rule: null },
    { name: 'an object that is off', documents: [server({ mode: 'off' })], reason: 'mode-off', rule: null },
  ];
  for (const { name, documents, flow = {}, reason, rule: id } of table) {
    t.match(ask(documents, flow), { reason, rule: id, nearestRule: null, missed: null }, name);
  }
});

t.test('the words name both ends, the request, the verdict and the reason', async (t) => {
  const shared = workload({ name: 'erp-1', labels: { app: 'erp', env: 'prod', zone: 'a' } });
  const table: { name: string; documents: unknown[]; flow?: Partial<Flow>; words: string }[] = [
    {
      name: 'an allow',
      documents: [crm, ...shop({})],
      flow: { method: 'POST', path: '/v1?x' },
      words: "ALLOW 10.30.1.4 (crm-1; app=crm,env=prod) → front tcp/443 POST /v1?x: an allow rule matches 'r'",
    },
    {
      name: 'a deny by a rule, in the mode that is the default',
      documents: shop({ action: 'deny' }),
      words: "would DENY (observe: passes) 10.30.1.4 → front tcp/443: a deny rule matches 'r'",
    },
    {
      name: 'a deny that is enforced',
      documents: [server({ mode: 'enforce' }), policy(rule({ action: 'deny' }))],
      words: "DENY 10.30.1.4 → front tcp/443: a deny rule matches 'r'",
    },
    {
      name: 'an object that nobody knows',
      documents: shop({}),
      flow: { to: 'x', path: '/' },
      words: 'DENY 10.30.1.4 → x tcp/443 GET /: the policy knows no object of this name',
    },
    {
      name: 'an address of two workloads and a network, mapped into IPv6',
      documents: [crm, shared, network({ cidrs: ['10.30.0.0/16'] }), server({ mode: 'off' })],
      flow: { from: '::FFFF:10.30.1.4' },
      words: 'ALLOW 10.30.1.4 (crm-1, erp-1, branches; app=crm,erp,env=prod,zone=a) → front tcp/443: the object is off',
    },
    {
      name: 'a failsafe',
      documents: [{ kind: 'Point', name: 'host-db-1', management: ['10.30.1.4'] }, host({ mode: 'enforce' })],
      flow: { to: 'db-1', port: 'tcp/22' },
      words: 'ALLOW 10.30.1.4 → db-1 tcp/22: the source may always reach tcp/22 here',
    },
  ];
  for (const { name, documents, flow = {}, words } of table) t.equal(ask(documents, flow).words, words, name);
});

t.test('behind a trusted proxy it is the client that is explained', async (t) => {
  const proxied = server({ trustedProxies: ['198.51.100.0/28'], mode: 'enforce' });
  const flow = { from: '198.51.100.1', forwardedFor: '10.30.1.4' };
  const documents = [crm, proxied, policy(rule({ from: fromCrm("app == 'crm' && env == 'test'") }))];
  const explanation = ask(documents, flow);
  t.match(explanation.source, { address: '10.30.1.4', workloads: ['crm-1'] });
  t.equal(explanation.missed, "source: needs env == 'test', has 'prod'");
  t.match(ask(documents, { ...flow, from: '198.51.100.16' }).source, { address: '198.51.100.16', workloads: [] });
});

t.test('who an address is, at the instant of the resolution', async (t) => {
  const odd = workload({ name: 'odd', labels: { constructor: 'a', toString: 'b', app: 'x' }, addresses: ['10.0.0.1'] });
  const { resolution } = compileDocuments(
    [
      crm,
      odd,
      workload({ name: 'w2', labels: { app: 'b', env: 'prod' } }),
      workload({ name: 'w3', labels: { app: 'a', env: 'prod' } }),
      network({ cidrs: ['10.0.0.0/8'], except: ['10.30.1.5'] }),
      network({ name: 'gone', cidrs: ['10.0.0.0/8'], expires: NOW }),
    ],
    NOW,
  );
  const { identify, object, objectAt } = identitiesOf(resolution);
  t.match(identify('10.30.1.4'), {
    address: '10.30.1.4',
    workloads: ['crm-1', 'w2', 'w3'],
    networks: ['branches'],
    labels: { app: 'a,b,crm', env: 'prod' },
  });
  t.match(identify('10.30.1.5'), { workloads: [], networks: [], labels: {} });
  t.match(identify('2001:DB8:0::1'), { address: '2001:db8::1', workloads: [], networks: [] });
  t.match(identify('nobody'), { address: 'nobody', workloads: [], networks: [], labels: {} });
  t.strictSame({ ...identify('10.0.0.1').labels }, { constructor: 'a', toString: 'b', app: 'x' });
  t.equal(object('constructor'), null);
  t.equal(objectAt('edge-1', 'constructor'), null);
});
