/** What a host denies is told as `decide` says it, also while the policy changes. */
import { type CompiledPolicy, decide, viewOf } from '@edgeward/policy';
import { compileDocuments, HOST_ADDRESSES, type ProbeFlow, requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { denialsStage, kernelCount, reading, requireUlogd, settled, until } from './fixtures/denials-stage.ts';

requireHosts(t);
await requireUlogd(t);
t.jobs = 4;

interface Variant {
  revision: number;
  allow?: string[];
  mode?: 'enforce' | 'observe';
  deny?: string;
}

function policyOf({
  revision,
  allow = ['10.1.0.0/16', '2001:db8:1::/48'],
  mode = 'enforce',
  deny = '10.1.66.0/24',
}: Variant): CompiledPolicy {
  const to = "app == 'db'";
  const documents = [
    { kind: 'Workload', name: 'db-1', labels: { app: 'db' }, addresses: ['10.40.0.7'], point: 'host-db', mode },
    { kind: 'Point', name: 'host-db', management: ['10.99.0.0/24'] },
    {
      kind: 'Policy',
      name: 'p',
      rules: [
        { id: 'let-in', from: allow.map((cidr) => ({ cidr })), to, ports: ['tcp/5432', 'udp/5432'] },
        { id: 'keep-out', from: [{ cidr: deny }], to, action: 'deny' },
      ],
    },
  ];
  return compileDocuments(documents, { revision, point: 'host-db' });
}

const { inet, inet6 } = HOST_ADDRESSES;
const FLOWS: [string, ProbeFlow, string, string | null][] = [
  ['nobody named it', { from: '203.0.113.9', to: inet, port: 'tcp/5432' }, 'unknown-source', null],
  ['nobody named it, IPv6', { from: '2001:db8:bad::9', to: inet6, port: 'udp/5432' }, 'unknown-source', null],
  ['another port', { from: '10.1.0.5', to: inet, port: 'tcp/22' }, 'port-not-allowed', null],
  ['another port, IPv6', { from: '2001:db8:1::5', to: inet6, port: 'tcp/5433' }, 'port-not-allowed', null],
  ['a rule that denies', { from: '10.1.66.6', to: inet, port: 'udp/5432' }, 'denied-by-rule', 'keep-out'],
];
const ALLOWED: ProbeFlow = { from: '10.1.0.5', to: inet, port: 'tcp/5432' };

for (const mode of ['enforce', 'observe'] as const) {
  t.test(`each denial has the reason and the rule of the policy (${mode})`, async (t) => {
    const stage = await denialsStage(t);
    const policy = policyOf({ revision: 7, mode });
    await stage.point.apply(policy);
    const denials = await stage.open();
    denials.policyApplied(policy, 1, policy.hash.slice(0, 8));
    await reading(stage);
    await stage.host.call([...FLOWS.map(([, flow]) => flow), ALLOWED]);
    await settled(stage, denials);
    const found = stage.service.denials();
    for (const [name, { from, port }, reason, rule] of FLOWS) {
      const record = found.find((one) => one.source === from && one.port === port);
      const verdict = mode === 'enforce' ? 'deny' : 'would-deny';
      t.match(record, { object: 'db-1', verdict, reason, rule, revision: 7, nearestRule: null, missed: null }, name);
    }
    t.equal(new Set(found.map(({ source, port }) => `${source} ${port}`)).size, FLOWS.length, 'and no other');
    t.strictSame(stage.service.gaps(), [], 'each had a sample');
    t.equal(denials.counters().sampled, denials.counters().denied);
    t.strictSame(denials.warnings(), []);
  });
}

const MAX_ROUNDS = 200;

t.test('a sample is judged by the policy that denied it, whichever is in force when it is read', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  const changes: Variant[] = [
    { revision: 1 },
    { revision: 2, deny: '203.0.113.0/24' },
    { revision: 3, allow: ['203.0.113.0/24'] },
    { revision: 4, mode: 'observe' },
    { revision: 5, deny: '10.1.0.0/24' },
    { revision: 6 },
  ];
  const policies = new Map(changes.map((change) => [change.revision, policyOf(change)]));
  const first = policyOf({ revision: 1 });
  await stage.point.apply(first);
  const denials = await stage.open();
  denials.policyApplied(first, 1, first.hash.slice(0, 8));
  await reading(stage);
  // Each policy has callers of its own: a source is sampled five times, and then once a second.
  const callersAt = (revision: number): ProbeFlow[] =>
    ['203.0.113.', '10.1.66.', '10.1.0.'].flatMap((net) =>
      ['udp/5432', 'udp/53'].map((port) => ({ from: `${net}${10 + revision}`, to: inet, port })),
    );
  await stage.host.call(
    changes.flatMap(({ revision }) => callersAt(revision)).map((flow) => ({ ...flow, port: 'udp/9' })),
  );
  let flows = callersAt(first.revision);
  const calls: Promise<unknown>[] = [];
  // Silence takes its time: the next are called meanwhile.
  const pace = setInterval(() => {
    if (calls.length < MAX_ROUNDS) calls.push(stage.host.call(flows));
  }, 100);
  t.teardown(() => clearInterval(pace));
  for (const [revision, policy] of policies) {
    await denials.policyComing(policy);
    await stage.point.apply(policy);
    denials.policyApplied(policy, 1, policy.hash.slice(0, 8));
    await stage.point.settled();
    flows = callersAt(revision);
    const counted = await kernelCount(stage);
    await until('it has denied some', async () => (await kernelCount(stage)) > counted + flows.length);
  }
  clearInterval(pace);
  await Promise.all(calls);
  await settled(stage, denials);
  const found = stage.service.denials();
  const wrong = found.filter(({ source, port, revision, reason, rule, object, verdict }) => {
    const policy = policies.get(revision);
    if (policy === undefined) return true;
    const said = decide(viewOf(policy), { from: source, to: object, port });
    const does = policy.objects[0]?.mode === 'observe' ? 'would-deny' : 'deny';
    return said.verdict !== 'deny' || said.reason !== reason || said.rule !== rule || verdict !== does;
  });
  t.strictSame(
    wrong,
    [],
    `${found.length} records of ${new Set(found.map(({ revision }) => revision)).size} revisions`,
  );
  t.ok(new Set(found.map(({ revision }) => revision)).size >= 4, 'of many revisions');
  t.strictSame(
    stage.service.gaps().filter(({ cause }) => cause !== 'not-sampled'),
    [],
    'each sample has its policy',
  );
});

t.test('what was called at a published port of a container is told by that port', async (t) => {
  const stage = await denialsStage(t);
  const policy = policyOf({ revision: 3 });
  await stage.host.publish('nft', 8080, 80);
  await stage.point.apply(policy);
  const denials = await stage.open();
  denials.policyApplied(policy, 1, policy.hash.slice(0, 8));
  await reading(stage);
  await stage.host.call([
    { from: '203.0.113.9', to: inet, port: 'tcp/8080' },
    { from: '10.1.0.5', to: inet, port: 'tcp/8080' },
  ]);
  await settled(stage, denials);
  const told = new Set(stage.service.denials().map(({ source, port, reason }) => `${source} ${port} ${reason}`));
  t.strictSame([...told].sort(), ['10.1.0.5 tcp/8080 port-not-allowed', '203.0.113.9 tcp/8080 unknown-source']);
});
