/** The programs of the packet filter as the driver asks them, on a real host. */
import { EdgewardError } from '@edgeward/runtime';
import { HOST_ADDRESSES, requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t from 'tap';
import {
  createHostPoint,
  createNetfilter,
  createToolRun,
  findNetfilter,
  type RunTool,
  removeHost,
} from '../../driver/index.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';

requireHosts(t);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (thrown: unknown) =>
      thrown instanceof EdgewardError && thrown.mend !== '' ? thrown.code : `uncoded: ${String(thrown)}`,
  );
}

const runOn = (host: TestHost): RunTool => createToolRun({ where: host.where });

t.test('the backend is the one that the rules of the host live in', async (t) => {
  const hosts = {
    'a host without rules': { make: [], backend: 'nft', other: false },
    'rules in nft': { make: [['iptables-nft', '-A', 'INPUT', '-j', 'ACCEPT']], backend: 'nft', other: false },
    'rules in legacy': { make: [['iptables-legacy', '-A', 'INPUT', '-j', 'ACCEPT']], backend: 'legacy', other: false },
    'a policy of a legacy chain': {
      make: [['ip6tables-legacy', '-P', 'FORWARD', 'DROP']],
      backend: 'legacy',
      other: false,
    },
    'an empty legacy table': { make: [['iptables-legacy', '-L']], backend: 'nft', other: false },
    'rules in both': {
      make: [
        ['iptables-nft', '-A', 'INPUT', '-j', 'ACCEPT'],
        ['iptables-legacy', '-A', 'INPUT', '-j', 'ACCEPT'],
      ],
      backend: 'nft',
      other: true,
    },
  };
  for (const [name, { make, backend, other }] of Object.entries(hosts)) {
    const host = await startHost(t);
    for (const command of make) await host.run(...command);
    const found = await findNetfilter(runOn(host));
    t.strictSame([found.netfilter.backend, found.otherHasRules], [backend, other], name);
    await host.close();
  }
});

t.test('once our rules are in a backend they stay there, whatever others write', async (t) => {
  const host = await startHost(t);
  const netfilter = createNetfilter('legacy', runOn(host));
  await createHostPoint({ name: 'h', options: HOST_OPTIONS, netfilter }).apply(
    hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }),
  );
  await host.run('iptables-nft', '-A', 'INPUT', '-j', 'ACCEPT');
  const found = await findNetfilter(runOn(host));
  t.strictSame([found.netfilter.backend, found.otherHasRules], ['legacy', true], 'legacy, and the others are told');
});

t.test('rules that can not be read this once are not taken for none', async (t) => {
  const host = await startHost(t);
  const netfilter = createNetfilter('nft', runOn(host));
  await createHostPoint({ name: 'h', options: HOST_OPTIONS, netfilter }).apply(
    hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }),
  );
  const late = createToolRun({ where: ['tail', '-f', '/dev/null'], timeoutMs: 50 });
  for (const held of [/^iptables-nft-/, /^ip6tables-nft-/, /^iptables-legacy-/]) {
    const run: RunTool = (call) => (held.test(call.program) ? late(call) : runOn(host)(call));
    t.equal(await codeOf(findNetfilter(run)), 'EDW_ERR_POINT_UNREACHABLE', String(held));
  }
});

t.test('what is missing is named at the start', async (t) => {
  const host = await startHost(t);
  const without = (pattern: RegExp): RunTool => {
    const [there, away] = [runOn(host), createToolRun({ where: ['/nowhere/at-all'] })];
    return (call) => (pattern.test(call.program) ? away(call) : there(call));
  };
  t.equal(await codeOf(findNetfilter(without(/iptables|ip6tables/))), 'EDW_ERR_HOST_TOOL', 'no iptables');
  t.equal(await codeOf(findNetfilter(without(/^ipset/))), 'EDW_ERR_HOST_TOOL', 'no ipset');
  t.equal((await findNetfilter(without(/-nft-/))).netfilter.backend, 'legacy', 'legacy alone is enough');
  t.equal((await findNetfilter(without(/-legacy-/))).netfilter.backend, 'nft', 'nft alone is enough');
  const blind: RunTool = async (call) =>
    call.program === 'ipset' ? { status: 1, stdout: '', stderr: 'Cannot open session to kernel.' } : runOn(host)(call);
  t.equal(await codeOf(findNetfilter(blind)), 'EDW_ERR_HOST_TOOL', 'a kernel without ipset');
});

t.test(
  'without ip6tables a host goes on with IPv4 where its kernel has IPv6 switched off, and nowhere else',
  async (t) => {
    const host = await startHost(t);
    const [there, away] = [runOn(host), createToolRun({ where: ['/nowhere/at-all'] })];
    const fourOnly: RunTool = (call) => (call.program.startsWith('ip6tables') ? away(call) : there(call));
    t.equal(await codeOf(findNetfilter(fourOnly)), 'EDW_ERR_HOST_TOOL', 'IPv6 would not be judged');
    const off = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];
    await host.run('sysctl', '-qw', ...off);
    t.equal((await findNetfilter(there)).ipv6, 'judged', 'who has the programs uses them');
    const { netfilter, ipv6 } = await findNetfilter(fourOnly);
    t.strictSame([netfilter.backend, netfilter.families, ipv6], ['nft', ['inet'], 'off'], 'it says so');
    const point = createHostPoint({ name: 'h', options: HOST_OPTIONS, netfilter });
    const policy = hostPolicy({ revision: 1, allow: ['10.1.0.0/16', '2001:db8:1::/48'] });
    await point.apply(policy);
    const found = { state: 'loaded', revision: 1, hash: policy.hash, drift: [], unfinished: [] };
    t.strictSame(await point.inspect(), found, 'a policy is in force');
    const flows = ['10.1.0.5', '203.0.113.9'].map((from) => ({ from, to: HOST_ADDRESSES.inet, port: 'tcp/5432' }));
    t.strictSame(await host.call(flows), ['refused', 'silent'], 'and judges');
    await point.apply(hostPolicy({ revision: 2, allow: ['10.2.0.0/16'] }));
    await point.settled();
    t.strictSame((await removeHost(netfilter)).left, [], 'and goes');
  },
);

t.test('a write is whole or not there', async (t) => {
  const host = await startHost(t);
  for (const backend of ['nft', 'legacy'] as const) {
    const netfilter = createNetfilter(backend, runOn(host));
    const lines = [':EW-IN - [0:0]', '-A EW-IN -j RETURN', '-A EW-IN -j NO-SUCH-CHAIN'];
    t.equal(await codeOf(netfilter.writeRules('inet', lines)), 'EDW_ERR_POINT_REFUSED', `${backend}: refused`);
    t.notOk((await netfilter.rules('inet')).has('EW-IN'), `${backend}: nothing of it stands`);
  }
  const netfilter = createNetfilter('nft', runOn(host));
  const bad = ['create ew4n-0123456789abcdef hash:net family inet', 'add ew4n-0123456789abcdef 0.0.0.0/0'];
  t.equal(await codeOf(netfilter.writeSets(bad)), 'EDW_ERR_POINT_REFUSED', 'hash:net takes no /0');
  t.strictSame(await netfilter.members('ew4n-0123456789abcdef'), [], 'a set that is there and empty');
  t.strictSame(await netfilter.members('no-such-set'), [], 'a set that is not there');
});

t.test('a table that nft wrote and iptables cannot show is an error, and not an empty table', async (t) => {
  const host = await startHost(t);
  const told: RunTool = async () => ({
    status: 0,
    stdout: "# Table `filter' is incompatible, use 'nft' tool.\n",
    stderr: '',
  });
  t.equal(await codeOf(createNetfilter('nft', told).rules('inet')), 'EDW_ERR_HOST_BACKEND');
  const busy: RunTool = async () => ({
    status: 4,
    stdout: '',
    stderr: 'Another app is currently holding the xtables lock. Stopped waiting after 5s.',
  });
  t.equal(await codeOf(createNetfilter('legacy', busy).writeRules('inet', [])), 'EDW_ERR_HOST_BUSY');
  await host.close();
});

t.test('a program that never ends, or never stops, is ended', async (t) => {
  const slow = createToolRun({ timeoutMs: 200 });
  t.equal(await codeOf(slow({ program: 'sleep', args: ['60'] })), 'EDW_ERR_POINT_UNREACHABLE', 'no end');
  const narrow = createToolRun({ maxOutputBytes: 1000 });
  t.equal(await codeOf(narrow({ program: 'cat', args: ['/dev/zero'] })), 'EDW_ERR_POINT_UNREACHABLE', 'no stop');
  const run = createToolRun();
  process.env.EDGEWARD_TEST_WORD = 'not for programs';
  t.teardown(() => delete process.env.EDGEWARD_TEST_WORD);
  const answer = await run({
    program: 'sh',
    args: ['-c', 'cat >/dev/null; env; exit 3'],
    input: ['x'.repeat(1_000_000)],
  });
  t.equal(answer.status, 3, 'the status');
  t.match(answer.stdout, /^LC_ALL=C$/m, 'in one language');
  t.notMatch(answer.stdout, /EDGEWARD_TEST_WORD|HOME/, 'nothing of our own environment');
});
