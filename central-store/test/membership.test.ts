/** Who is in which group as workloads come, go and change: the cases that the properties rarely meet, by hand. */
import { createHash } from 'node:crypto';
import { parseAddress, type WorkloadGroup } from '@edgeward/policy';
import t from 'tap';
import { createMembership, type WorkloadEdit } from '../src/membership/index.ts';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

const group = (selector: string, rest: Partial<WorkloadGroup> = {}): WorkloadGroup => ({
  id: `g.${digest(selector).slice(0, 16)}`,
  kind: 'workloads',
  selector,
  within: null,
  max: null,
  ...rest,
});

const is = (name: string, labels: Record<string, string>, ...addresses: string[]): WorkloadEdit => ({
  name,
  is: { labels, addresses: addresses.map((address) => parseAddress(address) as string) },
});

t.test('groups that would be too large are refused as a whole, and the old ones stay', async (t) => {
  const membership = createMembership();
  const [small, all] = [group("app == 'crm'"), group('all()')];
  membership.change([is('a', { app: 'crm' }, '10.0.0.1'), is('b', {}, '10.0.0.2', '2001:db8::1')]);
  t.strictSame(membership.setGroups([small]), { state: 'changed', added: [small.id], removed: [] });
  t.strictSame(
    membership.setGroups([
      { ...small, max: 1 },
      { ...all, max: 1 },
    ]),
    {
      state: 'refused',
      exceeded: [{ group: all.id, max: 1, members: 2, counted: 'workloads' }],
    },
  );
  t.strictSame(membership.groups(), [small.id]);
  t.strictSame(membership.setGroups([{ ...all, max: 2 }]), { state: 'changed', added: [all.id], removed: [small.id] });
  t.strictSame(membership.members(all.id), ['10.0.0.1', '10.0.0.2', '2001:db8::1']);
  t.strictSame(membership.members(small.id), [], 'a group that there is not has no members');
});

t.test('how large a group is: workloads, and addresses of each family, never of both', async (t) => {
  const v = (family: 4 | 6, n: number): string => (family === 4 ? `10.0.0.${n}` : `2001:db8::${n}`);
  const fenced = { within: ['10.0.0.0/8', '2001:db8::/64'] };
  const table: { name: string; edits: WorkloadEdit[]; exceeded: object | null }[] = [
    {
      name: 'two workloads with both families are two',
      edits: [is('a', {}, v(4, 1), v(6, 1)), is('b', {}, v(4, 2), v(6, 2))],
      exceeded: null,
    },
    {
      name: 'three workloads',
      edits: [is('a', {}, v(4, 1)), is('b', {}, v(6, 1)), is('c', {}, v(6, 2))],
      exceeded: { counted: 'workloads', members: 3 },
    },
    {
      name: 'three workloads behind one address, as `edgeward check` counts them',
      edits: [is('a', {}, v(4, 1)), is('b', {}, v(4, 1)), is('c', {}, v(4, 1))],
      exceeded: { counted: 'workloads', members: 3 },
    },
    {
      name: 'one workload with more addresses than a last hop would let pass',
      edits: [is('a', {}, v(4, 1), v(6, 1), v(6, 2), v(6, 3))],
      exceeded: { counted: 'ipv6', members: 3 },
    },
    {
      name: 'the same address twice, and mapped, is one',
      edits: [is('a', {}, v(4, 1), v(4, 1), '::ffff:10.0.0.1', v(4, 2))],
      exceeded: null,
    },
    {
      name: 'nobody outside the fence, and nobody without an address',
      edits: [is('a', {}, '11.0.0.1'), is('b', {}), is('c', {}, v(4, 1)), is('d', {}, v(4, 2), '11.0.0.2', '11.0.0.3')],
      exceeded: null,
    },
  ];
  for (const { name, edits, exceeded } of table) {
    const limited = group('all()', { ...fenced, max: 2 });
    const expected =
      exceeded === null
        ? { state: 'changed' }
        : { state: 'refused', exceeded: [{ group: limited.id, max: 2, ...exceeded }] };
    const early = createMembership();
    early.setGroups([limited]);
    t.match(early.change(edits), expected, `${name}, as they come`);
    const late = createMembership();
    late.change(edits);
    t.match(late.setGroups([limited]), expected, `${name}, when the group comes`);
    if (exceeded === null) t.same(early.sizeOf(limited.id), late.sizeOf(limited.id), name);
  }
});

t.test('a workload more behind a known address makes the group larger and moves nobody', async (t) => {
  const membership = createMembership();
  const all = group('all()');
  membership.setGroups([all]);
  membership.change([is('a', {}, '10.0.0.1')]);
  const changed = membership.change([is('b', {}, '10.0.0.1')]);
  t.ok(changed.state === 'changed' && changed.groups.size === 0);
  t.match(changed, { counts: new Map([[all.id, { workloads: 2, ipv4: 1, ipv6: 0 }]]) });
  t.strictSame(membership.sizeOf(all.id), { workloads: 2, ipv4: 1, ipv6: 0 });
  t.strictSame(membership.sizeOf('g.0000000000000000'), { workloads: 0, ipv4: 0, ipv6: 0 });
});

t.test('an address leaves a group with the last workload that has it there', async (t) => {
  const membership = createMembership();
  const crm = group("app == 'crm'");
  membership.setGroups([crm]);
  const changed = (...edits: WorkloadEdit[]): unknown => {
    const result = membership.change(edits);
    return result.state === 'changed' ? result.groups.get(crm.id) : result;
  };
  t.strictSame(changed(is('a', { app: 'crm' }, '10.0.0.1')), { add: ['10.0.0.1'], remove: [] });
  t.equal(changed(is('b', { app: 'crm' }, '10.0.0.1')), undefined);
  t.equal(changed(is('c', { app: 'shop' }, '10.0.0.1')), undefined);
  t.equal(changed({ name: 'a', is: null }), undefined);
  t.equal(
    changed(is('b', { app: 'shop' }, '10.0.0.1'), is('c', { app: 'crm' }, '10.0.0.1')),
    undefined,
    'it changes hands',
  );
  t.strictSame(changed({ name: 'c', is: null }), { add: [], remove: ['10.0.0.1'] });
  t.equal(changed({ name: 'nobody', is: null }), undefined);
});

t.test('a fence leaves out what is outside, and says whom', async (t) => {
  const membership = createMembership();
  const fenced = group('all()', { within: ['10.0.0.0/8'] });
  membership.change([
    is('inside', {}, '10.0.0.1'),
    is('both', {}, '10.0.0.2', '11.0.0.2'),
    is('nowhere', {}),
    ...Array.from({ length: 12 }, (_, n) => is(`outside-${n}`, {}, `11.0.1.${n}`)),
  ]);
  membership.setGroups([fenced]);
  t.strictSame(membership.members(fenced.id), ['10.0.0.1', '10.0.0.2']);
  t.equal(membership.fencedOut(fenced.id).length, 10);
  t.ok(membership.fencedOut(fenced.id).every((name) => name.startsWith('outside-')));
  t.strictSame(membership.fencedOut('g.0000000000000000'), []);
});

t.test('edits that can not be read to their end change nothing', async (t) => {
  const membership = createMembership();
  const all = group('all()');
  membership.setGroups([all]);
  membership.change([is('a', {}, '10.0.0.1')]);
  const broken = function* (): Iterable<WorkloadEdit> {
    yield is('a', {}, '10.0.0.2');
    yield is('b', {}, '10.0.0.3');
    throw new Error('the rest is missing');
  };
  t.throws(() => membership.change(broken()), /the rest is missing/);
  t.strictSame(membership.members(all.id), ['10.0.0.1']);
  t.match(membership.counts(), { workloads: 1, addresses: 1, labelSets: 1 });
});

t.test('labels that no selector asks for make no difference to anybody', async (t) => {
  const membership = createMembership();
  membership.change(
    Array.from({ length: 1000 }, (_, n) =>
      is(`w-${n}`, { app: `app-${n % 10}`, host: `h-${n}` }, `10.1.${n >> 8}.${n & 255}`),
    ),
  );
  membership.setGroups([group("app == 'app-1'"), group("app in {'app-2', 'app-3'} && has(host)"), group('!has(app)')]);
  t.match(membership.counts(), { workloads: 1000, labelSets: 1000, profiles: 4, groups: 3 });
  t.equal(membership.memberCount(group("app in {'app-2', 'app-3'} && has(host)").id), 200);
});

t.test('a group that is not written as a rules document writes it is not guessed at', async (t) => {
  for (const bad of [group("app=='crm'"), group(''), group('all()', { within: ['10.0.0.1/8'] })])
    t.throws(() => createMembership().setGroups([bad]), TypeError, JSON.stringify(bad));
});

t.test('what is known of a workload can be read back', async (t) => {
  const membership = createMembership();
  const edits = [is('a', { app: 'crm', 'example.com/tier': '' }, '10.0.0.1', '2001:db8::1', '10.0.0.1'), is('b', {})];
  membership.change(edits);
  t.same(membership.workload('a'), {
    labels: { app: 'crm', 'example.com/tier': '' },
    addresses: edits[0]?.is?.addresses.slice(0, 2),
  });
  t.same(membership.workload('b'), { labels: {}, addresses: [] });
  t.equal(membership.workload('c'), null);
  t.strictSame([...membership.names()], ['a', 'b']);
});

t.test('the same groups with other limits have the same members, and the limits count', async (t) => {
  const membership = createMembership();
  const crm = group("app == 'crm'");
  const third = is('c', { app: 'crm' }, '10.0.0.3');
  membership.setGroups([crm]);
  membership.change([is('a', { app: 'crm' }, '10.0.0.1'), is('b', { app: 'crm' }, '10.0.0.2')]);
  t.equal(membership.setGroups([{ ...crm, max: 1 }]).state, 'refused');
  t.strictSame(membership.setGroups([{ ...crm, max: 2 }]), { state: 'changed', added: [], removed: [] });
  t.strictSame(membership.members(crm.id), ['10.0.0.1', '10.0.0.2']);
  t.equal(membership.change([third]).state, 'refused', 'a change is held to the newer limit');
  membership.setGroups([crm]);
  t.equal(membership.change([third]).state, 'changed');
  t.equal(membership.memberCount(crm.id), 3);
});
