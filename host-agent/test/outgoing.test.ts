/** What a host begins itself: counted to the packet in both families, and never judged, whatever its policy says. */
import { HOST_ADDRESSES, type ProbeOutcome, requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type HostProbe, startHostProbe } from '../../test/kit/hosts-calling.ts';
import {
  type Backend,
  createHostPoint,
  createNetfilter,
  createToolRun,
  type HostPoint,
  hostCounters,
  type Netfilter,
  type RunTool,
  removeHost,
} from '../driver/index.ts';
import { closedWith } from './fixtures/closed-with.ts';
import { denialsStage, until } from './fixtures/denials-stage.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';
import { readForeign, writeForeign } from './fixtures/host-own-state.ts';

requireHosts(t);
t.jobs = 3;

const { inet, inet6 } = HOST_ADDRESSES;
const [AFAR, AFAR6] = ['203.0.113.9', '2001:db8:bad::9'];

interface Caller {
  /** TCP twice and UDP once over IPv4, TCP once and UDP twice over IPv6, and one echo request. */
  callOut(): Promise<ProbeOutcome[]>;
  probe: HostProbe;
}

/** The host calls, and its peer answers. */
async function startCaller(t: Test, host: TestHost): Promise<Caller> {
  // So that the peer has these addresses.
  await host.call([AFAR, AFAR6].map((from) => ({ from, to: from === AFAR ? inet : inet6, port: 'udp/9' })));
  const peer = host.where.map((word) => word.replace(/-host$/, '-peer'));
  const probe = startHostProbe(host.where, peer);
  t.teardown(() => probe.close());
  for (const port of ['tcp/443', 'udp/53']) await probe.listen(port);
  const to4 = (port: string) => ({ from: inet, to: AFAR, port });
  const to6 = (port: string) => ({ from: inet6, to: AFAR6, port });
  const flows = [to4('tcp/443'), to4('tcp/444'), to4('udp/53'), to6('tcp/443'), to6('udp/53'), to6('udp/54')];
  return {
    probe,
    callOut: async () => {
      await host.run('perl', '-MSocket', '-e', ECHO_REQUEST);
      return probe.call(flows);
    },
  };
}

/** Somebody must be named; this one does not call. */
const NOBODY = ['192.0.2.1/32'];
const OUTCOMES = ['open', 'refused', 'open', 'open', 'open', 'refused'];
/** What one round of `callOut` adds. */
const ROUND = { 'inet tcp': 2, 'inet udp': 1, 'inet other': 1, 'inet6 tcp': 1, 'inet6 udp': 2, 'inet6 other': 0 };

/** Type 8, code 0, its checksum; each of another flow. */
const ECHO_REQUEST = `my $id = $$ & 0x7fff; socket(my $s, PF_INET, SOCK_RAW, 1) or die;
send($s, pack('CCnnn', 8, 0, ~(0x0801 + $id) & 0xffff, $id, 1), 0, sockaddr_in(0, inet_aton('${AFAR}'))) or die`;

async function counted(netfilter: Netfilter): Promise<Record<string, number>> {
  const { outgoing } = await hostCounters(netfilter);
  return Object.fromEntries(outgoing.map(({ family, protocol, packets }) => [`${family} ${protocol}`, packets]));
}

const times = (rounds: number): Record<string, number> =>
  Object.fromEntries(Object.entries(ROUND).map(([key, packets]) => [key, packets * rounds]));

interface Scene {
  host: TestHost;
  netfilter: Netfilter;
  point: HostPoint;
}

async function startScene(t: Test, backend: Backend): Promise<Scene> {
  const host = await startHost(t);
  const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
  const point = closedWith(t, createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter }));
  return { host, netfilter, point };
}

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`what it calls is counted and passes, also where nobody gets in (${backend})`, async (t) => {
    const { host, netfilter, point } = await startScene(t, backend);
    const { callOut, probe } = await startCaller(t, host);
    t.strictSame(await counted(netfilter), {}, 'nothing without a policy');
    await point.apply(hostPolicy({ revision: 1, allow: NOBODY }));
    t.strictSame(await callOut(), OUTCOMES, 'a policy that lets nobody in');
    t.strictSame(await counted(netfilter), times(1), 'to the packet');
    const inward = [
      { from: AFAR, to: inet, port: 'tcp/5432' },
      { from: AFAR6, to: inet6, port: 'udp/5432' },
    ];
    t.strictSame(await host.call(inward), ['silent', 'silent']);
    t.strictSame(await probe.call([{ from: inet, to: inet, port: 'tcp/9' }]), ['refused'], 'to itself');
    t.strictSame(await counted(netfilter), times(1), 'what comes in, and loopback, begin nothing here');
    await point.apply(hostPolicy({ revision: 2, allow: ['10.1.0.0/16', '203.0.113.0/24'] }));
    t.strictSame(await host.call(inward), ['refused', 'silent']);
    t.strictSame(
      await counted(netfilter),
      times(1),
      'answers begin nothing, and another policy begins no counter anew',
    );
    await point.apply(hostPolicy({ revision: 3, allow: ['10.1.0.0/16'], mode: 'observe' }));
    t.strictSame(await callOut(), OUTCOMES, 'who observes');
    t.strictSame(await counted(netfilter), times(2));
    await point.apply(hostPolicy({ revision: 4, allow: NOBODY, mode: 'off' }));
    t.strictSame(await callOut(), OUTCOMES, 'mode off');
    t.strictSame(await counted(netfilter), {}, 'nothing is looked at then');
    const found = await point.inspect();
    t.ok(found.state === 'loaded' && found.drift.length === 0);
    await removeHost(netfilter);
    for (const program of ['iptables', 'ip6tables'])
      t.notMatch(await host.run(`${program}-${backend}-save`), /EW-/, `${program}: nothing of ours is left`);
  });

  t.test(`rules that others have for what goes out go on deciding, and stay (${backend})`, async (t) => {
    const { host, netfilter, point } = await startScene(t, backend);
    const { callOut } = await startCaller(t, host);
    await writeForeign(host, backend);
    const tables = (...args: string[]): Promise<string> => host.run(`iptables-${backend}`, ...args);
    await tables('-I', 'OUTPUT', '1', '-p', 'tcp', '--dport', '444', '-j', 'REJECT', '--reject-with', 'tcp-reset');
    await tables('-A', 'OUTPUT', '-p', 'udp', '--dport', '53', '-j', 'DROP');
    const foreign = await readForeign(host, backend);
    await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
    t.strictSame(await readForeign(host, backend), foreign, 'they are as they were');
    t.match(await tables('-S', 'OUTPUT'), /^-P OUTPUT \w+\n-A OUTPUT .*-j EW-OUT\n/, 'ours looks first');
    const outcomes = await callOut();
    t.strictSame(outcomes.slice(0, 3), ['open', 'refused', 'silent']);
    t.strictSame(await counted(netfilter), times(1), 'what they stop was begun all the same');
    t.strictSame(await point.checkRules(true), []);
    await tables('-I', 'OUTPUT', '1', '-p', 'tcp', '--dport', '7', '-j', 'ACCEPT');
    t.match(await point.inspect(), { drift: ['IPv4: a rule stands before EW-OUT in OUTPUT'] });
    t.match(await point.checkRules(true), ['IPv4: a rule stands before EW-OUT in OUTPUT']);
    t.match(await tables('-S', 'OUTPUT'), /^-P OUTPUT \w+\n-A OUTPUT .*-j EW-OUT\n.*--dport 7 -j ACCEPT\n/, 'put back');
  });
}

t.test('all that a host counts is read by one program a family', async (t) => {
  const host = await startHost(t);
  const run = createToolRun({ where: host.where });
  const programs: string[] = [];
  const counting: RunTool = (call) => {
    programs.push(call.program);
    return run(call);
  };
  const netfilter = createNetfilter('nft', counting);
  const point = closedWith(t, createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter }));
  await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
  await point.settled();
  programs.length = 0;
  const { denials, outgoing } = await hostCounters(netfilter);
  t.strictSame([denials.length, outgoing.length], [4, 6]);
  t.strictSame(programs, ['iptables-nft-save', 'ip6tables-nft-save']);
});

t.test('an agent tells totals, over rules that are made anew and its own end', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  const { callOut } = await startCaller(t, stage.host);
  const options = { ulogdFolders: [], windowMs: 100 };
  const first = await stage.open(options);
  const put = async (revision: number, mode: 'enforce' | 'off', denials = first): Promise<void> => {
    const policy = hostPolicy({ revision, allow: ['10.1.0.0/16'], mode });
    await denials.policyComing(policy);
    await stage.point.apply(policy);
    denials.policyApplied(policy, 1, policy.hash.slice(0, 8));
  };
  t.strictSame(first.outgoing(), { tcp: 0, udp: 0, other: 0 });
  await put(1, 'enforce');
  await callOut();
  await until('one round is told', () => first.outgoing().udp === 3);
  t.strictSame(first.outgoing(), { tcp: 3, udp: 3, other: 1 });
  await put(2, 'off');
  await callOut();
  await put(3, 'enforce');
  await callOut();
  await until('what was not looked at is not counted', () => first.outgoing().udp === 6);
  await first.close();
  await callOut();
  const heir = await stage.open(options);
  t.strictSame(heir.outgoing(), { tcp: 6, udp: 6, other: 2 }, 'an heir knows it');
  await until('and what came meanwhile', () => heir.outgoing().udp === 9);
  t.strictSame(heir.outgoing(), { tcp: 9, udp: 9, other: 3 });
  await heir.close();
  // Written once, and not again for a minute: what came since is written by its end alone.
  const last = await stage.open({ ...options, windowMs: 10_000 });
  await put(4, 'enforce', last);
  await callOut();
  await put(5, 'enforce', last);
  await callOut();
  await last.close();
  const another = await stage.open(options);
  t.strictSame(another.outgoing(), { tcp: 15, udp: 15, other: 5 }, 'who ends has written all');
});
