import type { Risk } from '@edgeward/policy-format';
import t from 'tap';
import { risksOf } from '../src/index.ts';
import { bundle, CRM, FRONT, policy } from './decisions/world.ts';

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
