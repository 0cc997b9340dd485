/** A change of policy as flows gained and lost, as a table. */
import {
  type FlowChange,
  flowChanges,
  type ObjectFlowChanges,
  type PolicyChanges,
  requestText,
} from '@edgeward/policy';
import t from 'tap';
import { host, network, policy, rule, server, shop, workload } from './cases/case.ts';
import { EVERYTHING, soundSide } from './flow-sides.ts';

function compare(before: unknown[] | null, after: unknown[], bounds = EVERYTHING): PolicyChanges {
  return flowChanges(before === null ? null : soundSide(before), soundSide(after), bounds);
}

const told = ({ by, cause, source, ports, requests, rules }: FlowChange): string => {
  const { text, whole, workloads, ranges } = source;
  const names = workloads?.examples.map(({ name }) => name).join(' ') ?? ranges.examples.join(' ');
  const part = whole ? 'all' : workloads === null ? 'part' : `${workloads.count} of ${workloads.of}`;
  const what = requests.map((it) => `${by === 'deny' ? 'denied ' : ''}${requestText(it)}`).join('; ');
  return `${cause}: ${text} (${part}: ${names}) | ${ports.join(' ')} | ${what} | ${rules.join(' ')}`;
};

const crm = (n: number, rest: object = {}): unknown =>
  workload({ name: `crm-${n}`, addresses: [`10.30.1.${n}`], labels: { app: 'crm', env: 'prod' }, ...rest });
const people = [crm(4), crm(6), crm(8, { labels: { app: 'crm', env: 'dev' } })];
const prod = { workloads: "app == 'crm' && env == 'prod'" };
const orders = [{ methods: ['GET', 'POST'], path: '/v1/orders/*' }];
const front = (...rules: unknown[]): unknown[] => [...people, network(), server(), policy(...rules)];

interface Row {
  name: string;
  before: unknown[] | null;
  after: unknown[];
  gained?: string[];
  lost?: string[];
  settings?: Partial<ObjectFlowChanges>;
}

const all = '(all: crm-4 crm-6)';
const rows: Row[] = [
  {
    name: 'the first policy',
    before: null,
    after: front(rule({ from: [prod, { network: 'branches' }], http: orders })),
    gained: [
      'rule: network branches (all: 192.0.2.0/24) | tcp/443 | GET /v1/orders/*; POST /v1/orders/* | r',
      `rule: app=crm,env=prod ${all} | tcp/443 | GET /v1/orders/*; POST /v1/orders/* | r`,
    ],
    settings: { change: 'new', before: null, rules: { added: ['r'], removed: [], changed: [] } },
  },
  {
    name: 'a term more, whose sources have some of it by another rule',
    before: front(rule({ from: [prod], http: orders })),
    after: front(
      rule({ from: [prod], http: orders }),
      rule({ id: 's', from: [{ workloads: "app == 'crm'" }], http: orders }),
    ),
    gained: ['rule: app=crm (1 of 3: crm-8) | tcp/443 | GET /v1/orders/*; POST /v1/orders/* | s'],
    settings: { rules: { added: ['s'], removed: [], changed: [] } },
  },
  {
    name: 'a rule that goes while another one says the same is no loss',
    before: front(rule({ from: [prod] }), rule({ id: 's', from: [{ cidr: '10.30.0.0/16' }] })),
    after: front(rule({ id: 's', from: [{ cidr: '10.30.0.0/16' }] })),
    settings: { rules: { added: [], removed: ['r'], changed: [] } },
  },
  {
    name: 'a wide network that goes leaves what a narrower rule names',
    before: front(rule({ from: [prod] }), rule({ id: 's', from: [{ cidr: '10.30.0.0/16' }] })),
    after: front(rule({ from: [prod] })),
    lost: [
      'rule: 10.30.0.0/16 (part: 10.30.0.0-10.30.1.3 10.30.1.5 10.30.1.7-10.30.255.255) | tcp/443 | every request | s',
    ],
  },
  {
    name: 'a workload that came and one that went',
    before: front(rule({ from: [prod] })),
    after: [crm(6), crm(9), network(), server(), policy(rule({ from: [prod] }))],
    gained: ['members: app=crm,env=prod (1 of 2: crm-9) | tcp/443 | every request | r'],
    lost: ['members: app=crm,env=prod (1 of 2: crm-4) | tcp/443 | every request | r'],
    settings: { rules: { added: [], removed: [], changed: [] } },
  },
  {
    name: 'a denial of a part',
    before: front(rule({ from: [prod] })),
    after: front(
      rule({ from: [prod] }),
      rule({ id: 'no', from: [{ any: true }], http: [{ path: '/admin/*' }], action: 'deny' }),
    ),
    lost: ['rule: any address (part: 10.30.1.4 10.30.1.6) | tcp/443 | denied any method /admin/* | no'],
  },
  {
    name: 'a denial that ends',
    before: front(rule({ from: [prod] }), rule({ id: 'no', from: [{ cidr: '10.30.1.4' }], action: 'deny' })),
    after: front(rule({ from: [prod] })),
    gained: ['rule: 10.30.1.4 (all: 10.30.1.4) | tcp/443 | denied every request | no'],
  },
  {
    name: 'a method less and a path more',
    before: front(rule({ from: [prod], http: orders })),
    after: front(rule({ from: [prod], http: [{ methods: ['GET'], path: '/v1/*' }] })),
    gained: [`rule: app=crm,env=prod ${all} | tcp/443 | GET /v1/* | r`],
    lost: [`rule: app=crm,env=prod ${all} | tcp/443 | POST /v1/orders/* | r`],
    settings: { rules: { added: [], removed: [], changed: ['r'] } },
  },
  {
    name: 'a fence',
    before: front(rule({ from: [prod] })),
    after: front(rule({ from: [{ ...prod, within: ['10.30.1.4/31'] }] })),
    lost: ['rule: app=crm,env=prod (1 of 2: crm-6) | tcp/443 | every request | r'],
    settings: { rules: { added: [], removed: [], changed: [] } },
  },
  {
    name: 'ports that the object lists no more',
    before: [...people, server({ ports: ['tcp/443', 'tcp/8443'] }), policy(rule({ from: [prod] }))],
    after: [...people, server(), policy(rule({ from: [prod] }))],
    lost: [`object: app=crm,env=prod ${all} | tcp/8443 | every request | r`],
  },
  {
    name: 'two rules on two ports are told each by its own',
    before: front(rule({ from: [{ cidr: '10.9.9.9' }] })),
    after: [
      ...people,
      server({ ports: ['tcp/443', 'tcp/80'] }),
      policy(
        rule({ from: [{ cidr: '10.9.9.9' }] }),
        rule({ id: 'a', from: [prod], ports: ['tcp/443'] }),
        rule({ id: 'b', from: [{ workloads: "app == 'crm'" }], ports: ['tcp/80'], http: [{ methods: ['GET'] }] }),
      ),
    ],
    gained: [
      'object: 10.9.9.9 (all: 10.9.9.9) | tcp/80 | every request | r',
      `rule: app=crm,env=prod ${all} | tcp/443 | every request | a`,
      'rule: app=crm (all: crm-4 crm-6 crm-8) | tcp/80 | GET any path | b',
    ],
  },
  {
    name: 'a mode, and proxies that are believed',
    before: shop({}),
    after: [server({ mode: 'enforce', trustedProxies: ['198.51.100.0/28'] }), policy(rule())],
    settings: { change: 'changed', trusted: { gained: ['198.51.100.0/28'], lost: [] } },
  },
  {
    name: 'an object that goes',
    before: [...people, server(), server({ name: 'back', bind: 'back' }), policy(rule({ from: [prod] }))],
    after: [...people, server({ name: 'back', bind: 'back' }), policy(rule({ from: [prod] }))],
    lost: [`rule: app=crm,env=prod ${all} | tcp/443 | every request | r`],
    settings: { change: 'gone', after: null },
  },
  {
    name: 'a name is not what the point asks for',
    before: shop({}),
    after: [server({ name: 'shop-front' }), policy(rule())],
    settings: { object: 'shop-front', bind: 'front', change: 'changed' },
  },
];

t.test('what is gained and lost, told by the terms that people wrote', async (t) => {
  for (const { name, before, after, gained = [], lost = [], settings = {} } of rows) {
    const { points, totals } = compare(before, after);
    t.equal(points.length, 1, `${name}: points`);
    const [object] = points[0]?.objects ?? [];
    t.strictSame(object?.gained.map(told), gained, `${name}: gained`);
    t.strictSame(object?.lost.map(told), lost, `${name}: lost`);
    t.match(object, settings, `${name}: settings`);
    t.strictSame([totals.gained, totals.lost], [gained.length, lost.length], `${name}: totals`);
  }
});

t.test('the failsafe of a host is told as what it is, and hides what it makes no difference to', async (t) => {
  const point = (management: string[]): unknown => ({ kind: 'Point', name: 'host-db-1', management });
  const ssh = rule({ from: [{ cidr: '10.99.0.7' }], to: "app == 'db'", ports: ['tcp/22'] });
  const other = rule({ id: 'o', from: [{ cidr: '10.1.0.0/16' }], to: "app == 'db'" });
  const before = [host(), point(['10.99.0.0/24']), policy(ssh, other)];
  const without = compare(before, [host(), point(['10.99.0.0/24']), policy(other)]);
  t.strictSame(without.totals, { points: 1, objects: 1, gained: 0, lost: 0 }, 'the rule goes, the management stays');
  const moved = compare(before, [host(), point(['10.99.1.0/24']), policy(ssh, other)]).points[0]?.objects[0];
  t.strictSame(moved?.gained.map(told), [
    'failsafe: management of host-db-1 (part: 10.99.1.0/24) | tcp/22 | every request | ',
  ]);
  t.strictSame(moved?.lost.map(told), [
    'failsafe: management of host-db-1 (part: 10.99.0.0-10.99.0.6 10.99.0.8-10.99.0.255) | tcp/22 | every request | ',
  ]);
});

t.test('a wide term is told by what is left out of it, where that is shorter', async (t) => {
  const before = front(rule({ from: [prod] }));
  const after = front(rule({ from: [prod] }), rule({ id: 's', from: [{ any: true }] }));
  const [told] = compare(before, after).points[0]?.objects[0]?.gained ?? [];
  t.match(told?.source, {
    text: 'any address',
    whole: false,
    except: { count: 2, examples: ['10.30.1.4', '10.30.1.6'] },
  });
});

t.test('equal policies change nothing, also where documents are read again', async (t) => {
  const documents = front(rule({ from: [prod], http: orders }));
  t.strictSame(compare(documents, structuredClone(documents)), {
    points: [],
    totals: { points: 0, objects: 0, gained: 0, lost: 0 },
    compared: 1,
  });
});

t.test('what is told is bounded, what is counted is not', async (t) => {
  const servers = Array.from({ length: 30 }, (_, i) => server({ name: `s-${i}`, bind: `s-${i}` }));
  const rules = Array.from({ length: 8 }, (_, i) => rule({ id: `r-${i}`, from: [{ cidr: `10.${i}.0.0/16` }] }));
  const { points, totals } = compare(null, [...servers, policy(...rules)], { objects: 3, changes: 2, examples: 1 });
  t.strictSame(totals, { points: 1, objects: 30, gained: 240, lost: 0 });
  t.equal(points[0]?.objects.length, 3);
  t.strictSame(
    points[0]?.objects.map((it) => [it.gained.length, it.totals.gained]),
    [2, 2, 2].map((told) => [told, 8]),
  );
});
