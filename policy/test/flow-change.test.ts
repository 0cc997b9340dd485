/** A change of policy as flows gained and lost: as a table, and against verdicts. */
import assert from 'node:assert/strict';
import {
  type ChangedSource,
  type CompiledPolicy,
  compilePoint,
  type Finding,
  type Flow,
  type FlowChange,
  type FlowSide,
  flowChanges,
  type LoadedPolicy,
  linkModel,
  type ObjectFlowChanges,
  type PolicyChanges,
  pointsOf,
  type Request,
  requestText,
  resolve,
  viewOf,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { parseAddress, parseCidr } from '../src/address.ts';
import { decide } from '../src/decide.ts';
import { compareKeys } from '../src/interval.ts';
import { limitFindings } from '../src/plan-limits.ts';
import { sizeOfPoint } from '../src/plan-size.ts';
import { parsePort, parsePortRange } from '../src/ports.ts';
import { plainRequest } from '../src/request.ts';
import { compareRequests } from '../src/request-pattern.ts';
import { host, NOW, network, policy, rule, server, shop, workload } from './cases/case.ts';
import { asSource, digest } from './compiled.ts';
import { arbitraryEdits, edited } from './edits.ts';
import { arbitraryDirectory, arbitraryFlow } from './generators/documents.ts';
import { search } from './runs.ts';

const EVERYTHING = { objects: Infinity, changes: Infinity, examples: Infinity };

function sideOf(documents: unknown[]): FlowSide | null {
  const findings: Finding[] = [];
  const model = linkModel(documents.map(asSource), findings);
  if (findings.some(({ severity }) => severity === 'error')) return null;
  const resolution = resolve(model, Date.parse(NOW));
  const policies = pointsOf(resolution).map((point) => compilePoint(resolution, point, { revision: 0, digest }));
  return { resolution, policies };
}

function soundSide(documents: unknown[]): FlowSide {
  const side = sideOf(documents);
  assert.ok(side !== null, 'the documents have errors');
  return side;
}

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

t.test('a point is measured as it is compiled', async (t) => {
  const documents = [
    ...front(rule({ from: [prod, { network: 'branches' }], http: [{ path: '/straße/*' }] })),
    server({ name: 'b', bind: 'b', trustedProxies: ['10.0.0.1/32'] }),
    { ...(host() as object), point: 'edge-1' },
    { kind: 'Point', name: 'edge-1', management: ['10.99.0.0/24'] },
  ];
  const { resolution, policies } = soundSide(documents);
  const [compiled] = policies as [CompiledPolicy];
  t.strictSame(sizeOfPoint(resolution, compiled), {
    objects: 3,
    rules: 1,
    groups: 2,
    members: 2,
    bytes: Buffer.byteLength(JSON.stringify(compiled)),
  });
  t.strictSame(limitFindings(compiled), []);
});

t.test('a policy that is larger than its device is told', async (t) => {
  const scattered = Array.from({ length: 1_400 }, (_, i) =>
    workload({
      name: `w-${i}`,
      addresses: Array.from({ length: 40 }, (_, k) => `10.${i >> 4}.${(i & 15) * 16 + (k >> 3)}.${(k & 7) * 16}`),
    }),
  );
  const found = (documents: unknown[]): string[] =>
    soundSide([...scattered, ...documents]).policies.flatMap((it) =>
      limitFindings(it).map(({ limit, object, needed, limitedTo }) => `${limit} ${object} ${needed > limitedTo}`),
    );
  const from = [{ workloads: "app == 'crm'" }];
  t.strictSame(found([server({ bind: '/Common/front' }), policy(rule({ from }))]), ['bigip-records front true']);
  t.strictSame(found([host(), policy(rule({ from, to: "app == 'db'", ports: ['tcp/1-5'] }))]), [
    'host-pairs db-1 true',
  ]);
  const many = Array.from({ length: 12 }, (_, i) => server({ name: `s-${i}`, bind: `s-${i}` }));
  t.strictSame(found([...many, policy(rule({ from }))]), ['nginx-zone null true']);
  t.strictSame(found([server(), policy(rule({ from }))]), []);
});

interface Judged {
  before: { view: LoadedPolicy; object: string } | null;
  after: { view: LoadedPolicy; object: string } | null;
  change: ObjectFlowChanges | null;
}

/** Every object of either side by what its point calls it. */
function judgedOf(before: FlowSide | null, after: FlowSide): Judged[] {
  const { points } = flowChanges(before, after, EVERYTHING);
  const judged = new Map<string, Judged>();
  for (const side of ['before', 'after'] as const) {
    for (const compiled of (side === 'before' ? before : after)?.policies ?? []) {
      const view = viewOf(compiled);
      for (const { bind, name } of compiled.objects) {
        const key = `${compiled.point} ${bind}`;
        const change = points.find(({ point }) => point === compiled.point)?.objects.find((it) => it.bind === bind);
        const known = judged.get(key) ?? { before: null, after: null, change: change ?? null };
        judged.set(key, { ...known, [side]: { view, object: name } });
      }
    }
  }
  return [...judged.values()];
}

const allows = (side: Judged['before'], flow: Flow): boolean =>
  side !== null && decide(side.view, { ...flow, to: side.object }).verdict === 'allow';

function holds(source: ChangedSource, address: string): boolean {
  const key = parseAddress(address) ?? '';
  return source.ranges.examples.some((text) => {
    const [first = '', last] = text.split('-');
    const one = parseCidr(first);
    if (one === null || one === 'host-bits') return false;
    const hi = last === undefined ? one.hi : (parseAddress(last) ?? '');
    return key.length === hi.length && compareKeys(one.lo, key) <= 0 && compareKeys(key, hi) <= 0;
  });
}

function tells(changes: readonly FlowChange[], flow: Flow, judgesRequests: boolean): boolean {
  const request = judgesRequests
    ? plainRequest(flow.method, flow.path, flow.host)
    : { method: '', path: '/', host: null };
  const port = parsePort(flow.port);
  return changes.some(
    ({ source, ports, requests }) =>
      holds(source, flow.from) &&
      ports.map(parsePortRange).some((it) => {
        if (it === null || it === 'upside-down' || port === null) return false;
        return it.protocol === port.protocol && it.from <= port.number && port.number <= it.to;
      }) &&
      requests.some((it) => fits(it, request)),
  );
}

function fits({ method, path, host: only }: Request, request: ReturnType<typeof plainRequest>): boolean {
  if (request === null) return false;
  const stem = path?.endsWith('/*') === true ? path.slice(0, -2) : null;
  const hasPath = path === null || (stem === null ? request.path === path : `${request.path}/`.startsWith(`${stem}/`));
  return hasPath && (method === null || method === request.method) && (only === null || only === request.host);
}

/** Requests that fit the pattern and no narrower one. */
function generic({ method, path, host: only }: Request): Pick<Flow, 'method' | 'path' | 'host'> {
  const within = path === null ? '/fresh-path' : path.endsWith('/*') ? `${path.slice(0, -2)}/fresh-path` : path;
  return { method: method ?? 'FRESH', path: encodeURI(within), host: only ?? 'fresh.example' };
}

const arbitraryChange = fc.record({
  documents: arbitraryDirectory(),
  stock: arbitraryDirectory(),
  edits: arbitraryEdits,
});

/** Modes are told apart from verdicts, and time stands still. */
function sidesOf({
  documents,
  stock,
  edits,
}: {
  documents: unknown[];
  stock: unknown[];
  edits: Parameters<typeof edited>[1][];
}) {
  const plain = (all: unknown[]): unknown[] =>
    all.map((it) => ('mode' in (it as object) ? { ...(it as object), mode: 'observe' } : it));
  let directory = { documents: plain(documents), stock: plain(stock), nowMs: 0 };
  for (const edit of edits) if (edit.kind !== 'time') directory = edited(directory, edit);
  return {
    documents: [...documents, ...directory.documents],
    before: sideOf(plain(documents)),
    after: sideOf(directory.documents),
  };
}

t.test('whatever verdict changes is told, and whatever is told changes a verdict', async (t) => {
  let changed = 0;
  let proved = 0;
  const property = fc.property(
    arbitraryChange.chain((change) =>
      fc.tuple(
        fc.constant(change),
        fc.array(arbitraryFlow([...change.documents, ...change.stock]), { minLength: 30, maxLength: 30 }),
      ),
    ),
    ([change, flows]) => {
      const { before, after } = sidesOf(change);
      if (after === null) return;
      for (const judged of judgedOf(before, after)) {
        const http = [judged.before, judged.after].some((it) => it?.view.object(it.object)?.protocol === 'http');
        for (const flow of flows) {
          delete flow.forwardedFor;
          if (http && plainRequest(flow.method, flow.path, flow.host) === null) continue;
          const [was, is] = [allows(judged.before, flow), allows(judged.after, flow)];
          if (was === is) continue;
          changed += 1;
          const list = judged.change?.[is ? 'gained' : 'lost'] ?? [];
          assert.ok(tells(list, flow, http), `not told: ${JSON.stringify({ flow, was, is, change: judged.change })}`);
        }
        for (const direction of ['gained', 'lost'] as const) {
          for (const it of judged.change?.[direction] ?? []) {
            const [from = ''] = (it.source.ranges.examples[0] ?? '').split(/[-/]/);
            const [port = ''] = (it.ports[0] ?? '').split('-');
            for (const request of it.requests) {
              const flow = { from, to: '', port, ...generic(request) };
              const seen = [allows(judged.before, flow), allows(judged.after, flow)];
              assert.deepEqual(seen, [direction === 'lost', direction === 'gained'], JSON.stringify({ flow, it }));
              proved += 1;
            }
          }
        }
      }
    },
  );
  fc.assert(property, search(t, 150));
  t.ok(changed > 50 && proved > 100, `${changed} verdicts changed, ${proved} changes were proved`);
});

t.test('conditions: whatever a request gains or loses is told, and of each that is told something is', async (t) => {
  const condition = fc.record({
    by: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
    method: fc.constantFrom(null, 'GET', 'POST'),
    path: fc.constantFrom(null, '/*', '/a', '/a/*', '/a/b', '/b/*'),
    host: fc.constantFrom(null, null, 'x.example'),
  });
  const conditions = fc.array(condition, { maxLength: 5 });
  const allowed = (list: Request[], asked: { method: string; path: string; host: string }): boolean => {
    const matching = list.filter((it) => fits(it, asked));
    return matching.some(({ by }) => by === 'allow') && !matching.some(({ by }) => by === 'deny');
  };
  const samples = ['GET', 'POST', 'PUT'].flatMap((method) =>
    ['/', '/a', '/a/', '/a/b', '/a/c', '/ab', '/b', '/b/x'].flatMap((path) =>
      ['x.example', 'y.example'].map((name) => ({ method, path, host: name })),
    ),
  );
  fc.assert(
    fc.property(conditions, conditions, (before, after) => {
      const { gained, lost } = compareRequests(before, after);
      for (const sample of samples) {
        const [was, is] = [allowed(before, sample), allowed(after, sample)];
        if (was !== is) assert.ok((is ? gained : lost).some((it) => fits(it, sample)));
      }
      for (const it of [...gained, ...lost]) {
        const asked = generic(it) as { method: string; path: string; host: string };
        assert.equal(allowed(after, asked), gained.includes(it));
        assert.equal(allowed(before, asked), lost.includes(it));
      }
      assert.deepEqual(compareRequests(before, before), { gained: [], lost: [] });
    }),
    search(t, 500),
  );
});
