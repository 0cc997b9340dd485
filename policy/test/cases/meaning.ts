/** Policies that can be read but can't be meant: what only labels, addresses and time show. */
import { type Case, type Found, host, network, policy, rule, server, shop, without, workload } from './case.ts';

const http = [{ path: '/v1/*' }];
const tcpServer = (name: string, labels: Record<string, string>): unknown =>
  server({ name, bind: name, labels, protocol: 'tcp', ports: ['tcp/5432'] });
const point = { kind: 'Point', name: 'host-db-1', management: ['10.99.0.0/24'] };

const targets: Case[] = [
  {
    name: 'a rule to nothing',
    documents: shop({ to: "app == 'shpo'" }),
    finds: [['EDW_ERR_TO_NOTHING', '1.rules.0.to']],
  },
  {
    name: 'a rule to workloads that nothing protects',
    documents: [workload(), ...shop({ to: "app == 'crm'" })],
    finds: [['EDW_ERR_TO_NOTHING', '2.rules.0.to']],
  },
  {
    name: 'a rule that lost its objects because the inventory moved is inert',
    documents: shop({ to: "app == 'gone'" }),
    inventoryOnly: true,
    finds: [['EDW_WARN_TO_NOTHING', '1.rules.0.to']],
  },
  {
    name: 'HTTP conditions on an object of connections',
    documents: [tcpServer('db', { app: 'shop' }), policy(rule({ http }))],
    finds: [['EDW_ERR_HTTP_ON_CONNECTION', '1.rules.0.http']],
  },
  {
    name: 'HTTP conditions on an object that its host protects',
    documents: [host({ labels: { app: 'shop' } }), policy(rule({ http }))],
    finds: [['EDW_ERR_HTTP_ON_CONNECTION', '1.rules.0.http']],
  },
  {
    name: 'HTTP conditions on an object of connections stay an error when only the inventory moved',
    documents: [server(), tcpServer('db', { app: 'shop' }), policy(rule({ http }))],
    inventoryOnly: true,
    finds: [['EDW_ERR_HTTP_ON_CONNECTION', '2.rules.0.http']],
  },
  {
    name: 'a rule for a port that the object does not list',
    documents: shop({ ports: ['tcp/80'] }),
    finds: [['EDW_WARN_RULE_CANNOT_MATCH', '1.rules.0']],
  },
  {
    name: 'a rule for udp on an object of requests',
    documents: shop({ ports: ['udp/443'] }),
    finds: [['EDW_WARN_RULE_CANNOT_MATCH', '1.rules.0']],
  },
  {
    name: 'a rule whose service is on no port of the object',
    documents: [{ kind: 'Service', name: 'dns', ports: ['udp/53', 'tcp/53'] }, ...shop({ services: ['dns'] })],
    finds: [['EDW_WARN_RULE_CANNOT_MATCH', '2.rules.0']],
  },
  {
    name: 'a rule that matches at one of two objects',
    documents: [server(), server({ name: 'b', bind: 'b', ports: ['tcp/80'] }), policy(rule({ ports: ['tcp/80'] }))],
    finds: [['EDW_WARN_RULE_CANNOT_MATCH', '2.rules.0']],
  },
];

const sources: Case[] = [
  {
    name: 'a rule from nobody',
    documents: shop({ from: [{ workloads: "app == 'crm'" }] }),
    finds: [['EDW_WARN_FROM_NOTHING', '1.rules.0.from.0.workloads']],
  },
  {
    name: 'more workloads than the rule may have',
    documents: [
      workload(),
      workload({ name: 'crm-2', addresses: ['10.30.1.5'] }),
      ...shop({ from: [{ any: true }, { workloads: "app == 'crm'", max: 1 }] }),
    ],
    finds: [['EDW_ERR_MAX_EXCEEDED', '3.rules.0.from.1.max']],
  },
  {
    name: 'as many workloads as the rule may have, and others without an address or outside the fence',
    documents: [
      workload(),
      workload({ name: 'crm-2', addresses: [] }),
      workload({ name: 'crm-3', addresses: ['10.31.0.1'] }),
      ...shop({ from: [{ workloads: "app == 'crm'", max: 1, within: ['10.30.0.0/16'] }] }),
    ],
    finds: [['EDW_WARN_FENCED_OUT', '4.rules.0.from.0.within']],
  },
  {
    name: 'everybody outside the fence',
    documents: [workload(), ...shop({ from: [{ workloads: "app == 'crm'", within: ['10.31.0.0/16'] }] })],
    finds: [
      ['EDW_WARN_FENCED_OUT', '2.rules.0.from.0.within'],
      ['EDW_WARN_FROM_NOTHING', '2.rules.0.from.0.workloads'],
    ],
  },
  {
    name: 'a workload with one address inside the fence is not left out',
    documents: [
      workload({ addresses: ['10.30.1.4', '10.31.0.1'] }),
      ...shop({ from: [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'] }] }),
    ],
    finds: [],
  },
  {
    name: 'a limit of none',
    documents: [workload(), ...shop({ from: [{ workloads: "app == 'crm'", max: 0 }] })],
    finds: [['EDW_ERR_MAX_EXCEEDED', '2.rules.0.from.0.max']],
  },
  ...["env != 'prod'", "env not in {'prod', 'test'}", "!(env == 'prod')"].map(
    (workloads): Case => ({
      name: `${workloads} also selects what has no such label`,
      documents: [workload(), ...shop({ from: [{ workloads }] })],
      finds: [['EDW_WARN_NEGATION', '2.rules.0.from.0.workloads']],
    }),
  ),
  {
    name: 'a negation that asks for the label',
    documents: [workload(), ...shop({ from: [{ workloads: "has(app) && app != 'shop'" }] })],
    finds: [],
  },
  { name: 'a negation in `to` is meant', documents: shop({ to: "app != 'crm'" }), finds: [] },
  {
    name: 'an address in two workloads, in two spellings',
    documents: [workload(), workload({ name: 'crm-2', addresses: ['10.0.0.1', '::ffff:10.30.1.4'] })],
    finds: [['EDW_WARN_ADDRESS_SHARED', '1.addresses.1']],
  },
  {
    name: 'an address twice in one workload',
    documents: [workload({ addresses: ['10.0.0.1', '10.0.0.1'] })],
    finds: [],
  },
  {
    name: 'an address in three workloads',
    documents: ['a', 'b', 'c'].map((name) => workload({ name })),
    finds: [
      ['EDW_WARN_ADDRESS_SHARED', '1.addresses.0'],
      ['EDW_WARN_ADDRESS_SHARED', '2.addresses.0'],
    ],
  },
];

const from = [{ network: 'branches' }];
const times: Case[] = [
  {
    name: 'a rule that has ended',
    documents: shop({ until: '2026-11-22T00:00:00Z' }),
    finds: [['EDW_WARN_ENDED', '1.rules.0.until']],
  },
  { name: 'a rule that ends in a millisecond', documents: shop({ until: '2026-11-22T00:00:00.001Z' }), finds: [] },
  {
    name: 'a network that has expired',
    documents: [network({ expires: '2026-11-22T00:00:00Z' })],
    finds: [['EDW_WARN_EXPIRES', '0.expires']],
  },
  {
    name: 'a network that expires in 14 days',
    documents: [network({ expires: '2026-12-06T00:00:00Z' })],
    finds: [['EDW_WARN_EXPIRES', '0.expires']],
  },
  {
    name: 'a network that expires in 14 days and a second',
    documents: [network({ expires: '2026-12-06T00:00:01Z' })],
    finds: [],
  },
  {
    name: 'a network in a deny rule that expires in years',
    documents: [network({ expires: '2031-01-01T00:00:00Z' }), ...shop({ from, action: 'deny' })],
    finds: [['EDW_WARN_EXPIRES', '0.expires']],
  },
  {
    name: 'a network in an allow rule that expires in years',
    documents: [network({ expires: '2031-01-01T00:00:00Z' }), ...shop({ from })],
    finds: [],
  },
  {
    name: 'a network in a deny rule that never expires',
    documents: [network(), ...shop({ from, action: 'deny' })],
    finds: [],
  },
];

const hosts: Case[] = [
  {
    name: 'a host without a list of who may manage it',
    documents: [host({ mode: 'enforce' })],
    finds: [['EDW_WARN_NOT_ENFORCED', '0.mode']],
  },
  {
    name: 'a host with an empty list of who may manage it',
    documents: [{ ...point, management: [] }, host({ mode: 'enforce' })],
    finds: [['EDW_WARN_NOT_ENFORCED', '1.mode']],
  },
  { name: 'a host that may be enforced', documents: [point, host({ mode: 'enforce' })], finds: [] },
  {
    name: 'a host that is observed needs no list',
    documents: [host({ mode: 'observe' }), host({ name: 'b', addresses: [] })],
    finds: [],
  },
  {
    name: 'a mode without a point',
    documents: [without(host({ mode: 'enforce' }), 'point')],
    finds: [['EDW_WARN_NO_POINT', '0.mode']],
  },
  {
    name: 'ports without a point',
    documents: [without(host({ ports: ['tcp/5432'] }), 'point')],
    finds: [['EDW_WARN_NO_POINT', '0.ports']],
  },
];

const withTests = (...tests: object[]): unknown[] => [
  server(),
  {
    kind: 'Policy',
    name: 'p',
    rules: [rule()],
    tests: tests.map((it) => ({ from: '10.1.1.1', to: 'front', port: 'tcp/443', expect: 'allow', ...it })),
  },
];

const failing: Found = ['EDW_ERR_TEST_FAILED', '1.tests.1'];
const tests: Case[] = [
  {
    name: 'tests that pass',
    documents: withTests({}, { from: '11.0.0.1', expect: 'deny' }, { port: 'tcp/80', expect: 'deny' }),
    finds: [],
  },
  { name: 'a test that fails', documents: withTests({}, { from: '11.0.0.1' }), finds: [failing] },
  {
    name: 'a test that fails where a denial is expected',
    documents: withTests({}, { expect: 'deny' }),
    finds: [failing],
  },
  {
    name: 'a test that fails when only the inventory moved blocks nothing',
    documents: withTests({}, { from: '11.0.0.1' }),
    inventoryOnly: true,
    finds: [['EDW_WARN_TEST_FAILED', '1.tests.1']],
  },
  {
    name: 'a test of an object that is not there',
    documents: withTests({ to: 'frnot', expect: 'deny' }),
    finds: [['EDW_WARN_TEST_OBJECT', '1.tests.0.to']],
  },
  {
    name: 'a test of an object called like what every object inherits',
    documents: withTests({ to: 'constructor', expect: 'deny' }),
    finds: [['EDW_WARN_TEST_OBJECT', '1.tests.0.to']],
  },
];

/** What repeats, overlaps or is empty without being wrong. */
const fine: Case[] = [
  {
    name: 'repeated and overlapping terms, CIDRs, ports and entries are no error',
    documents: [
      workload(),
      network({ cidrs: ['10.0.0.0/8', '10.1.0.0/16', '10.0.0.0/8'], except: ['10.0.0.1', '10.0.0.1', '11.0.0.0/8'] }),
      { kind: 'Service', name: 'https', ports: ['tcp/443', 'tcp/443', 'tcp/440-450'] },
      server({ ports: ['tcp/443', 'tcp/400-500', 'tcp/443'], trustedProxies: ['10.0.0.0/8', '10.0.0.0/8'] }),
      policy(
        rule({
          from: [...from, ...from, { cidr: '10.0.0.0/8' }, { workloads: 'all()' }, { any: true }],
          services: ['https', 'https'],
          ports: ['tcp/443'],
          http: [...http, ...http, { methods: ['GET', 'GET'], hosts: ['a.example', 'A.example.'] }],
        }),
      ),
    ],
    finds: [],
  },
  {
    name: 'lists that may be empty',
    documents: [
      workload({ addresses: [] }),
      network({ cidrs: [], except: [] }),
      policy(),
      server({ trustedProxies: [] }),
    ],
    finds: [],
  },
  {
    name: 'names at their longest',
    documents: [server({ name: 'a'.repeat(63), bind: `/Common/${'a'.repeat(200)}` })],
    finds: [],
  },
  {
    name: 'things of different kinds may share a name, also with what every object inherits',
    documents: [
      workload({ name: 'constructor' }),
      network({ name: 'constructor' }),
      { kind: 'Service', name: 'constructor', ports: ['tcp/443'] },
      server({ name: 'constructor', labels: { constructor: 'constructor' } }),
      {
        kind: 'Policy',
        name: 'constructor',
        rules: [
          rule({
            id: 'constructor',
            from: [{ network: 'constructor' }],
            to: "constructor == 'constructor'",
            services: ['constructor'],
          }),
        ],
      },
    ],
    finds: [],
  },
  { name: 'one bind at two points', documents: [server(), server({ name: 'b', point: 'edge-2' })], finds: [] },
  { name: 'nothing at all', documents: [], finds: [] },
];

export const meaning: Case[] = [...targets, ...sources, ...times, ...hosts, ...tests, ...fine];
