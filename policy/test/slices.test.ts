/** What people decided, cut into one document a point: with the members it gives what the whole directory gives. */
import assert from 'node:assert/strict';
import {
  cidrsOf,
  compilePoint,
  type GroupMembers,
  groupIdOf,
  type Model,
  nextChangeMs,
  type PointRules,
  parseCidrs,
  parseSelectorText,
  resolve,
  resolveSlice,
  slicePolicy,
  termOfGroup,
  workloadGroupsOf,
} from '@edgeward/policy';
import fc from 'fast-check';
import t from 'tap';
import { network, policy, rule, server, workload } from './cases/case.ts';
import { digest, received, soundModel } from './compiled.ts';
import { arbitraryDirectory, NOW } from './generators/documents.ts';
import { arbitraryInventory } from './generators/inventory.ts';
import { canonical, membersOf, travelled } from './members.ts';
import { search } from './runs.ts';

const INSTANTS = [
  '2026-01-01T00:00:00Z',
  '2026-11-21T23:59:59.998Z',
  NOW,
  '2027-01-30T23:59:59.999Z',
  '2028-01-01T00:00:00Z',
].flatMap((text) => [-1, 0, 1, 2].map((ms) => Date.parse(text) + ms));

t.test('rules and members give the bytes that the whole directory gives, at every instant', async (t) => {
  fc.assert(
    fc.property(arbitraryDirectory(), arbitraryInventory, (first, inventory) => {
      const model = soundModel(first.concat(inventory));
      assert.ok(model);
      const slices = travelled(slicePolicy(model, digest));
      for (const nowMs of INSTANTS) {
        const direct = resolve(model, nowMs);
        const members = membersOf(direct);
        assert.equal(received(resolveSlice(slices, members, nowMs)), received(direct));
        for (const slice of slices) {
          const own = resolveSlice([slice], members, nowMs);
          const options = { revision: 7, digest };
          assert.deepEqual(compilePoint(own, slice.point, options), compilePoint(direct, slice.point, options));
        }
      }
    }),
    search(t, 150),
  );
});

t.test('where the inventory stands changes no byte of what people sign', async (t) => {
  const elsewhere = (documents: unknown[]): unknown[] =>
    (documents as { kind: string; point?: string; labels: object }[])
      .filter((it) => it.kind !== 'Workload' || it.point !== undefined)
      .map((it) => (it.kind === 'Workload' ? { ...it, addresses: [] } : it));
  fc.assert(
    fc.property(arbitraryDirectory(), arbitraryInventory, (first, inventory) => {
      const [one, other] = [soundModel(first), soundModel([...inventory, ...elsewhere(first)].reverse())];
      assert.ok(one !== null && other !== null);
      assert.equal(canonical(slicePolicy(other, digest)), canonical(slicePolicy(one, digest)));
    }),
    search(t, 150),
  );
});

t.test('every group is written in the one form that its name is made of', async (t) => {
  fc.assert(
    fc.property(arbitraryDirectory(), (documents) => {
      const model = soundModel(documents);
      assert.ok(model);
      for (const { groups, rules, objects, point } of slicePolicy(model, digest)) {
        for (const group of groups) {
          const term = termOfGroup(group);
          assert.ok(term, JSON.stringify(group));
          assert.equal(groupIdOf(term, digest), group.id);
          if (group.kind === 'network') assert.deepEqual(cidrsOf(parseCidrs(group.cidrs) ?? []), group.cidrs);
        }
        const ids = groups.map(({ id }) => id);
        assert.deepEqual(ids, [...new Set(ids)].sort());
        assert.deepEqual(ids, [...new Set(rules.flatMap(({ from }) => from))].sort(), 'named by a rule, and no other');
        const names = objects.map(({ name }) => name);
        for (const { to } of rules) assert.ok(to.length > 0 && to.every((name) => names.includes(name)), point);
      }
    }),
    search(t, 150),
  );
});

t.test('the next change of what a point holds is when time changes it', async (t) => {
  fc.assert(
    fc.property(arbitraryDirectory(), (documents) => {
      const model = soundModel(documents);
      assert.ok(model);
      const slices = slicePolicy(model, digest);
      const members = membersOf(resolve(model, 0));
      const at = (nowMs: number): string => received(resolveSlice(slices, members, nowMs));
      let nowMs = Date.parse('2025-01-01T00:00:00Z');
      for (let changes = 0; changes < 20; changes += 1) {
        const next = nextChangeMs(resolveSlice(slices, members, nowMs).model, nowMs);
        assert.equal(at((next ?? nowMs + 1e12) - 1), at(nowMs));
        if (next === null) return;
        nowMs = next;
      }
      assert.fail('a directory changes for ever');
    }),
    search(t, 60),
  );
});

const workloads = (rest: object = {}): object => ({ workloads: "app == 'crm'", ...rest });
const slicesOf = (...documents: unknown[]): PointRules[] => slicePolicy(soundModel(documents) as Model, digest);

t.test('a rules document says everything in one way', async (t) => {
  const [slice] = slicesOf(
    server({ ports: ['tcp/443', 'tcp/80'], trustedProxies: ['198.51.100.16/28', '198.51.100.0/28'] }),
    network({ cidrs: ['192.0.2.128/25', '2001:db8::/32', '192.0.2.0/25'], except: ['192.0.2.66'], expires: NOW }),
    policy(
      rule({
        id: 'b',
        from: [
          { workloads: { matchLabels: { env: 'prod', app: 'crm' } }, within: ['10.1.0.0/16', '10.0.0.0/16'], max: 9 },
        ],
        ports: ['tcp/81', 'tcp/80'],
        http: [{ path: '/a', methods: ['POST', 'GET'] }],
        until: '2026-12-24T18:00:00Z',
      }),
      rule({ id: 'a', from: [{ network: 'branches' }, { cidr: '10.0.0.1' }, { any: true }, { network: 'branches' }] }),
      rule({ id: 'nothing', to: "app == 'nowhere'", from: [{ cidr: '10.9.0.0/16' }] }),
    ),
  );
  const ids = (['network', 'cidr', 'any', 'workloads'] as const).map(
    (kind) => slice?.groups.find((group) => group.kind === kind)?.id as string,
  );
  t.strictSame(slice?.groups.length, 4);
  t.match(slice, {
    format: 1,
    point: 'edge-1',
    objects: [{ name: 'front', ports: ['tcp/80', 'tcp/443'], trustedProxies: ['198.51.100.0/27'], failsafe: [] }],
    rules: [
      { id: 'a', from: ids.slice(0, 3).toSorted(), to: ['front'], ports: null, http: null, until: null },
      {
        id: 'b',
        from: ids.slice(3),
        ports: ['tcp/80-81'],
        http: [{ path: '/a', methods: ['POST', 'GET'] }],
        until: '2026-12-24T18:00:00.000Z',
      },
    ],
  });
  t.match(Object.fromEntries(slice?.groups.map((group) => [group.kind, group]) ?? []), {
    network: {
      cidrs: ['192.0.2.0/24', '2001:db8::/32'],
      except: ['192.0.2.66/32'],
      expires: '2026-11-22T00:00:00.000Z',
    },
    cidr: { cidr: '10.0.0.1/32' },
    workloads: { selector: "app == 'crm' && env == 'prod'", within: ['10.0.0.0/15'], max: 9 },
  });
});

t.test('a host is written with its management, and as observed without one', async (t) => {
  const host = (mode: string): unknown =>
    workload({ name: 'db-1', labels: { app: 'shop' }, point: 'host-db-1', mode, addresses: [] });
  const point = { kind: 'Point', name: 'host-db-1', management: ['10.99.0.0/24'] };
  t.match(slicesOf(host('enforce')), [{ objects: [{ mode: 'observe', failsafe: [] }] }]);
  t.match(slicesOf(host('off')), [{ objects: [{ mode: 'off' }] }]);
  t.match(slicesOf(host('enforce'), point), [
    { objects: [{ mode: 'enforce', failsafe: ['10.99.0.0/24'], ports: ['tcp/1-65535', 'udp/1-65535'] }], rules: [] },
  ]);
  t.strictSame(slicesOf(point), [], 'a point that protects nothing has no rules document');
});

t.test('of several numbers that a group must not exceed the least counts', async (t) => {
  const other = server({ name: 'other', bind: 'other', point: 'edge-2', labels: { app: 'other' } });
  const slices = slicesOf(
    server(),
    other,
    policy(
      rule({ id: 'a', from: [workloads({ max: 200 })] }),
      rule({ id: 'b', from: [workloads(), workloads({ max: 100 })] }),
      rule({ id: 'c', from: [workloads({ max: 7 })], to: "app == 'other'" }),
      rule({ id: 'd', from: [workloads({ within: ['10.0.0.0/8'] })], to: "app == 'other'" }),
    ),
  );
  t.match(slices, [{ groups: [{ max: 100 }] }, { groups: [{}, {}] }]);
  t.strictSame(
    workloadGroupsOf(slices)
      .map(({ within, max }) => ({ within, max }))
      .toSorted((a) => (a.max === null ? 1 : -1)),
    [
      { within: null, max: 7 },
      { within: ['10.0.0.0/8'], max: null },
    ],
  );
});

t.test('a selector is read in its normal form alone', async (t) => {
  for (const text of ["app == 'crm'", 'all()', '!all()', "a in {'x', 'y'} && has(b) || c != 'z'"]) {
    t.ok(parseSelectorText(text), text);
  }
  for (const text of ["app=='crm'", "b == 'x' && a == 'y'", "a in {'y', 'x'}", '!(has(a) && has(b))', '', 'app ==']) {
    t.equal(parseSelectorText(text), null, text);
  }
});

t.test('a rules document that names what it does not hold, or can not be read, is not resolved', async (t) => {
  const [slice] = slicesOf(
    server(),
    network(),
    policy(rule({ from: [{ network: 'branches' }, workloads()], ports: ['tcp/443'] })),
  );
  const nobody: GroupMembers = () => [];
  const changed = (change: (slice: PointRules) => void): PointRules => {
    const copy = structuredClone(slice as PointRules);
    change(copy);
    return copy;
  };
  const groupOf = (of: PointRules, kind: string): Record<string, unknown> =>
    of.groups.find((group) => group.kind === kind) as never;
  const ruleOf = (of: PointRules): Record<string, unknown> => of.rules[0] as never;
  const table: [string, PointRules][] = [
    ['a group', changed((it) => it.groups.pop())],
    ['an object', changed((it) => it.objects.pop())],
    ['an address of a network', changed((it) => Object.assign(groupOf(it, 'network'), { cidrs: ['192.0.2.1/24'] }))],
    ['an expiry', changed((it) => Object.assign(groupOf(it, 'network'), { expires: 'soon' }))],
    ['a fence of names', changed((it) => Object.assign(groupOf(it, 'workloads'), { within: ['branches'] }))],
    ['a selector', changed((it) => Object.assign(groupOf(it, 'workloads'), { selector: "app=='crm'" }))],
    ['a port', changed((it) => Object.assign(ruleOf(it), { ports: ['tcp/0'] }))],
    ['an end', changed((it) => Object.assign(ruleOf(it), { until: 'soon' }))],
  ];
  t.doesNotThrow(() => resolveSlice([slice as PointRules], nobody, 0));
  for (const [name, broken] of table) t.throws(() => resolveSlice([broken], nobody, 0), /edge-1/, name);
  t.throws(() => resolveSlice([slice as PointRules], () => ['10.0.0.0/8'], 0), /no address/, 'a member');
});
