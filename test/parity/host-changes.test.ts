/**
 * Policies change while datagrams come at a steady pace: who may call under each of them is never dropped, who may not is never
 * let in. Of three policies the first is another one, the second and third only let more in, and so are added to the sets
 * that stand. A datagram is sent once, so that nothing lost is hidden by a second one.
 */
import { createHostPoint, createNetfilter, createToolRun, type HostOptions } from '@edgeward/host-agent';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, HOST_ADDRESSES, type ProbeOutcome, requireHosts, startHost } from '@edgeward/test/kit';
import t from 'tap';

requireHosts(t);
t.jobs = 2;

const OPTIONS: HostOptions = {
  mark: { mask: 0x0fff0000, shift: 16 },
  verdict: 'exclusive',
  publishedPorts: false,
};
const CHANGES = 24;
const IN_PLACE = CHANGES * (2 / 3);
const PACE_MS = 25;
/** One for all sets, one for what each family's rules say. */
const WRITES_IN_PLACE = 3;
const MAX_ROUNDS = 1200;
const CALLERS = [
  { from: '10.1.0.5', wanted: 'refused' },
  { from: '2001:db8:1::5', wanted: 'refused' },
  { from: '203.0.113.9', wanted: 'silent' },
  { from: '2001:db8:bad::9', wanted: 'silent' },
] as const;

/** Rules, groups and ports differ from one in three to the next; the first source stays, alone or in a wider network. */
function policyOf(revision: number): CompiledPolicy {
  const [kind, step] = [Math.floor(revision / 3), revision % 3];
  const others = Array.from({ length: 40 }, (_, n) => ({ cidr: `10.${100 + n}.${kind % 2}.0/24` }));
  const wider = [[], ['10.0.0.0/16', '2001:db8::/48'], ['10.0.0.0/16', '2001:db8::/48', '10.2.0.0/15']][step] ?? [];
  const added = [...wider, ...Array.from({ length: step * 20 }, (_, n) => `10.77.${n}.${kind}/32`)];
  const from = [{ cidr: '10.1.0.0/16' }, { cidr: '2001:db8:1::/48' }, ...others, ...added.map((cidr) => ({ cidr }))];
  const documents = [
    { kind: 'Workload', name: 'db', labels: { app: 'db' }, addresses: ['10.40.0.7'], point: 'h', mode: 'enforce' },
    { kind: 'Point', name: 'h', management: ['10.99.0.0/24'] },
    {
      kind: 'Policy',
      name: 'p',
      rules: [{ id: 'r', from, to: "app == 'db'", ports: [`udp/${5400 + (kind % 3)}-5432`, 'tcp/443'] }],
    },
  ];
  return compileDocuments(documents, { revision, point: 'h' });
}

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`nobody is judged wrongly while policies change (${backend})`, async (t) => {
    const host = await startHost(t);
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));

    const point = createHostPoint({ name: 'h', options: OPTIONS, netfilter });
    t.teardown(() => point.close());
    await point.apply(policyOf(2));
    const flows = CALLERS.map(({ from }) => ({
      from,
      to: from.includes(':') ? HOST_ADDRESSES.inet6 : HOST_ADDRESSES.inet,
      port: 'udp/5432',
    }));
    t.strictSame(
      await host.call(flows),
      CALLERS.map(({ wanted }) => wanted),
      'before anything changes',
    );
    const rounds: Promise<ProbeOutcome[]>[] = [];
    const pace = setInterval(() => {
      if (rounds.length < MAX_ROUNDS) rounds.push(host.call([...flows, ...flows]));
    }, PACE_MS);
    t.teardown(() => clearInterval(pace));
    let inPlace = 0;
    for (let change = 1; change <= CHANGES; change += 1) {
      const { writes } = await point.apply(policyOf(2 + change));
      if (writes === WRITES_IN_PLACE) inPlace += 1;
    }
    clearInterval(pace);
    t.equal(inPlace, IN_PLACE, 'two of three were added to what stands');
    const wrong = { dropped: 0, letIn: 0 };
    for (const outcomes of await Promise.all(rounds)) {
      outcomes.forEach((outcome, index) => {
        const wanted = CALLERS[index % CALLERS.length]?.wanted;
        if (outcome === wanted) return;
        if (wanted === 'silent') wrong.letIn += 1;
        else wrong.dropped += 1;
      });
    }
    t.comment(`${rounds.length * flows.length * 2} datagrams during ${CHANGES} changes`);
    t.strictSame(wrong, { dropped: 0, letIn: 0 }, 'none');
    t.ok(rounds.length > CHANGES, 'they came while it changed');
  });
}
