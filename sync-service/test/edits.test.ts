import t from 'tap';
import { changed, front, network, policy, rule, type Site, site, without, workload } from './fixtures/site.ts';
import { stage } from './fixtures/stage.ts';

/** What an edit takes away of order-front: `share` above a half is held, everything else is published at once. */
interface Edit {
  name: string;
  before: Site;
  after: Site;
  /** null: nothing is held. */
  share: number | null;
}

const from = (...terms: object[]): Site => changed(site, { policy: policy([rule({ from: terms })]) });
const http = (...conditions: object[]): Site =>
  changed(site, { policy: policy([rule(conditions.length === 0 ? {} : { http: conditions })]) });
const everyPort = changed(site, {
  front: { ...front, protocol: 'tcp', ports: ['tcp/8000-8099'] },
  policy: policy([rule({ ports: undefined })].map((it) => JSON.parse(JSON.stringify(it)) as object)),
});
const somePorts = (...ports: string[]): Site => changed(everyPort, { policy: policy([rule({ ports })]) });
const deny = (change: object): Site =>
  changed(site, { policy: policy([rule(), rule({ id: 'stop', action: 'deny', ...change })]) });
const crm = { workloads: "app == 'crm'" };
const relabelled = (...names: string[]): Site =>
  changed(
    site,
    Object.fromEntries(names.map((name) => [name, workload(name, `10.30.1.${name.at(-1)}`, { app: 'erp' })])),
  );

const edits: Edit[] = [
  {
    name: 'another bind, which NGINX does not say',
    before: site,
    after: changed(site, { front: { ...front, bind: 'order-frnt' } }),
    share: 1,
  },
  {
    name: 'another name under the same bind',
    before: site,
    after: changed(site, { front: { ...front, name: 'orders' } }),
    share: null,
  },
  {
    name: 'a proxy that is no longer believed, so that it is judged instead of its clients',
    before: changed(site, { front: { ...front, trustedProxies: ['198.51.100.0/28'] } }),
    after: changed(site, { front: { ...front, trustedProxies: ['198.51.100.0/29'] } }),
    share: 1,
  },
  {
    name: 'one more proxy that is believed',
    before: changed(site, { front: { ...front, trustedProxies: ['198.51.100.0/29'] } }),
    after: changed(site, { front: { ...front, trustedProxies: ['198.51.100.0/28'] } }),
    share: null,
  },
  {
    name: 'a /8 that becomes a /9',
    before: from({ cidr: '10.0.0.0/8' }),
    after: from({ cidr: '10.0.0.0/9' }),
    share: null,
  },
  {
    name: 'a /8 that becomes a /10',
    before: from({ cidr: '10.0.0.0/8' }),
    after: from({ cidr: '10.0.0.0/10' }),
    share: 0.75,
  },
  {
    name: 'an IPv6 /32 that becomes a /34',
    before: from({ cidr: '2001:db8::/32' }),
    after: from({ cidr: '2001:db8::/34' }),
    share: 0.75,
  },
  {
    name: 'a CIDR written as its two halves',
    before: from({ cidr: '10.0.0.0/8' }),
    after: from({ cidr: '10.0.0.0/9' }, { cidr: '10.128.0.0/9' }),
    share: null,
  },
  { name: 'everybody, narrowed to some workloads', before: from({ any: true }), after: from(crm), share: 1 },
  { name: 'everybody, beside workloads that stay', before: from(crm, { any: true }), after: from(crm), share: 1 },
  {
    name: 'all workloads, beside a wide network that stays',
    before: from(crm, { cidr: '192.0.2.0/24' }),
    after: from({ cidr: '192.0.2.0/24' }),
    share: 0.8,
  },
  {
    name: 'one of two networks',
    before: from({ cidr: '10.0.0.0/8' }, { cidr: '192.0.2.0/24' }),
    after: from({ cidr: '10.0.0.0/8' }),
    share: null,
  },
  {
    name: 'two of three networks',
    before: from({ cidr: '10.0.0.0/8' }, { cidr: '192.0.2.0/24' }, { cidr: '198.51.100.0/24' }),
    after: from({ cidr: '10.0.0.0/8' }),
    share: 2 / 3,
  },
  {
    name: 'a network that gets an exception for most of it',
    before: changed(from({ network: 'branches' }), { net: network(['192.0.2.0/24']) }),
    after: changed(from({ network: 'branches' }), {
      net: network(['192.0.2.0/24'], { except: ['192.0.2.0/25', '192.0.2.128/26'] }),
    }),
    share: 0.75,
  },
  {
    name: 'a fence that keeps most members out',
    before: from(crm),
    after: from({ ...crm, within: ['10.30.1.1/32'] }),
    share: 0.75,
  },
  {
    name: 'a selector that loses all its members to an edit',
    before: from(crm),
    after: from({ workloads: "app == 'crm' && env == 'prod'" }),
    share: 1,
  },
  {
    name: 'a selector that loses its only member to an edit',
    before: changed(without('crm-2', 'crm-3', 'crm-4'), { policy: policy([rule()]) }),
    after: changed(without('crm-2', 'crm-3', 'crm-4'), {
      policy: policy([rule({ from: [{ workloads: "app == 'none'" }] })]),
    }),
    share: 1,
  },
  { name: 'the only rule', before: site, after: changed(site, { policy: policy([]) }), share: 1 },
  {
    name: 'the rule under another name',
    before: site,
    after: changed(site, { policy: policy([rule({ id: 'renamed' })]) }),
    share: null,
  },
  { name: 'the virtual server', before: site, after: changed(site, { front: null, policy: policy([]) }), share: 1 },
  { name: 'the virtual server, by the inventory alone', before: site, after: changed(site, { front: null }), share: 1 },
  {
    name: 'a virtual server that its rules no longer select',
    before: site,
    after: changed(site, { front: { ...front, labels: { app: 'other' } } }),
    share: 1,
  },
  {
    name: 'the port at the virtual server',
    before: site,
    after: changed(site, { front: { ...front, ports: ['tcp/8443'] } }),
    share: 1,
  },

  { name: 'one workload of four', before: site, after: without('crm-1'), share: null },
  { name: 'two workloads of four', before: site, after: without('crm-1', 'crm-2'), share: null },
  { name: 'three workloads of four', before: site, after: without('crm-1', 'crm-2', 'crm-3'), share: 0.75 },
  { name: 'all four workloads', before: site, after: without('crm-1', 'crm-2', 'crm-3', 'crm-4'), share: 1 },
  { name: 'one workload relabelled', before: site, after: relabelled('crm-1'), share: null },
  { name: 'three workloads relabelled', before: site, after: relabelled('crm-1', 'crm-2', 'crm-3'), share: 0.75 },
  {
    name: 'the only workload',
    before: without('crm-2', 'crm-3', 'crm-4'),
    after: without('crm-1', 'crm-2', 'crm-3', 'crm-4'),
    share: null,
  },
  {
    name: 'the only workload relabelled',
    before: without('crm-2', 'crm-3', 'crm-4'),
    after: changed(relabelled('crm-1'), { 'crm-2': null, 'crm-3': null, 'crm-4': null }),
    share: null,
  },
  {
    name: 'the only workload, which moved to another address',
    before: without('crm-2', 'crm-3', 'crm-4'),
    after: changed(without('crm-2', 'crm-3', 'crm-4'), { 'crm-1': workload('crm-1', '10.30.7.7') }),
    share: null,
  },
  {
    name: 'one workload, in the same edit as another rule',
    before: site,
    after: changed(without('crm-1'), {
      policy: policy([rule(), rule({ id: 'more', from: [{ cidr: '192.0.2.0/24' }] })]),
    }),
    share: null,
  },
  {
    name: 'nobody: a workload that comes in',
    before: site,
    after: changed(site, { 'crm-5': workload('crm-5', '10.30.1.5') }),
    share: null,
  },

  { name: 'every path, narrowed to a tree', before: http({ path: '/*' }), after: http({ path: '/v1/*' }), share: 1 },
  {
    name: 'a tree, narrowed to one path',
    before: http({ path: '/v1/*' }),
    after: http({ path: '/v1/orders' }),
    share: 1,
  },
  { name: 'a tree, widened to every path', before: http({ path: '/v1/*' }), after: http({ path: '/*' }), share: null },
  {
    name: 'conditions that are dropped',
    before: http({ path: '/v1/*', methods: ['GET'] }),
    after: http(),
    share: null,
  },
  { name: 'conditions that are added', before: http(), after: http({ path: '/v1/*' }), share: 1 },
  { name: 'nothing: a condition that every request fits', before: http(), after: http({ path: '/*' }), share: null },
  {
    name: 'one of two methods',
    before: http({ methods: ['GET', 'POST'] }),
    after: http({ methods: ['GET'] }),
    share: null,
  },
  {
    name: 'two of three methods',
    before: http({ methods: ['GET', 'POST', 'PUT'] }),
    after: http({ methods: ['GET'] }),
    share: 2 / 3,
  },
  {
    name: 'nothing: alternatives written apart',
    before: http({ methods: ['GET', 'POST'], path: '/v1/*' }),
    after: http({ methods: ['GET'], path: '/v1/*' }, { methods: ['POST'], path: '/v1/*' }),
    share: null,
  },
  {
    name: 'nothing: alternatives written together',
    before: http({ hosts: ['a.example'], path: '/v1/*' }, { hosts: ['b.example'], path: '/v1/*' }),
    after: http({ hosts: ['a.example', 'b.example'], path: '/v1/*' }),
    share: null,
  },

  {
    name: 'the wider of two rules',
    before: changed(site, { policy: policy([rule(), rule({ id: 'narrow', http: [{ path: '/v1/*' }] })]) }),
    after: changed(site, { policy: policy([rule({ id: 'narrow', http: [{ path: '/v1/*' }] })]) }),
    share: 1,
  },
  {
    name: 'nothing: the narrower of two rules',
    before: changed(site, { policy: policy([rule(), rule({ id: 'narrow', http: [{ path: '/v1/*' }] })]) }),
    after: site,
    share: null,
  },

  { name: 'a deny rule for everyone', before: site, after: deny({ from: [{ any: true }] }), share: 1 },
  {
    name: 'a deny rule for two of four',
    before: site,
    after: deny({ from: [{ cidr: '10.30.1.1/32' }, { cidr: '10.30.1.2/32' }] }),
    share: null,
  },
  {
    name: 'a deny rule for three of four',
    before: site,
    after: deny({ from: [{ cidr: '10.30.1.2/31' }, { cidr: '10.30.1.1/32' }] }),
    share: 0.75,
  },
  {
    name: 'a deny rule on another port',
    before: everyPort,
    after: changed(everyPort, {
      policy: policy([...rulesOf(everyPort), rule({ id: 'stop', action: 'deny', ports: ['tcp/8000'] })]),
    }),
    share: null,
  },
  {
    name: 'a deny rule for every path',
    before: http({ path: '/v1/*' }),
    after: denied({ path: '/v1/*' }, { path: '/*' }),
    share: 1,
  },
  {
    name: 'a deny rule for the whole of an allowed tree, under a wider allow rule',
    before: http({ path: '/v1/*' }),
    after: denied({ path: '/*' }, { path: '/v1/*' }),
    share: 1,
  },
  {
    name: 'a deny rule for every request of a rule without conditions',
    before: http(),
    after: denied(null, { path: '/*' }),
    share: 1,
  },
  {
    name: 'a deny rule for a part of what is allowed',
    before: http(),
    after: denied(null, { path: '/admin/*' }),
    share: null,
  },
  { name: 'a deny rule that goes', before: deny({ from: [{ any: true }] }), after: site, share: null },

  { name: 'half of the ports', before: everyPort, after: somePorts('tcp/8000-8049'), share: null },
  { name: 'more than half of the ports', before: everyPort, after: somePorts('tcp/8000-8048'), share: 0.51 },
  { name: 'all ports but the first', before: everyPort, after: somePorts('tcp/8000'), share: 0.99 },
  {
    name: 'ports that the object no longer lists',
    before: everyPort,
    after: changed(everyPort, { front: { ...front, protocol: 'tcp', ports: ['tcp/8000-8009'] } }),
    share: 0.9,
  },
  {
    name: 'nothing: the same ports in two pieces',
    before: somePorts('tcp/8000-8099'),
    after: somePorts('tcp/8000-8009', 'tcp/8010-8099'),
    share: null,
  },
];

function rulesOf(of: Site): object[] {
  return (of.policy as { rules: object[] }).rules;
}

function denied(allow: object | null, stop: object): Site {
  const allowing = rule(allow === null ? {} : { http: [allow] });
  return changed(site, { policy: policy([allowing, rule({ id: 'stop', action: 'deny', http: [stop] })]) });
}

t.test('an edit is held when it takes away more than half of what an object allowed', async (t) => {
  for (const { name, before, after, share } of edits) {
    const it = await stage(t);
    await it.offer(before);
    await it.offer(after);
    const { held, errors, revision } = it.publisher.status();
    t.strictSame(errors, [], `${name}: no errors`);
    const found = held?.objects.map(({ object, lostShare }) => [object, Math.round(lostShare * 1000) / 1000]) ?? null;
    t.strictSame(found, share === null ? null : [['order-front', Math.round(share * 1000) / 1000]], name);
    if (share !== null) t.equal(revision, 1, `${name}: the revision before stays in force`);
    await it.close();
  }
});
