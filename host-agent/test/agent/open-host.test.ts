/** The packet filter of a host as the agent opens it. */
import { HOST_ADDRESSES, requireHosts, startHost } from '@edgeward/test/kit';
import t from 'tap';
import { createHostPoint, createNetfilter, createToolRun, type DenyCounter, type RunTool } from '../../driver/index.ts';
import { readAgentConfig } from '../../src/config.ts';
import { readInForce } from '../../src/in-force.ts';
import { openHost } from '../../src/open-host.ts';
import { removeFromHost } from '../../src/remove.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';

requireHosts(t);

const CONFIG = readAgentConfig({ value: {}, file: 'agent.yaml', env: {} });
const packetsOf = (counters: readonly DenyCounter[]): number =>
  counters.reduce((total, { packets }) => total + packets, 0);

t.test('what rules counted that are over is told, also what came before anybody listened', async (t) => {
  const host = await startHost(t);
  const { point, tellRetired } = await openHost('host-db', CONFIG, createToolRun({ where: host.where }));
  t.teardown(point.close);
  const strangers = (count: number) =>
    host.call(
      Array.from({ length: count }, (_, n) => ({
        from: `203.0.113.${n + 1}`,
        to: HOST_ADDRESSES.inet,
        port: 'udp/5999',
      })),
    );
  const put = async (revision: number, mode: 'enforce' | 'observe'): Promise<void> => {
    await point.apply(hostPolicy({ revision, allow: [`10.${revision}.0.0/16`], mode }));
    await point.settled();
  };
  await put(1, 'enforce');
  await strangers(3);
  await put(2, 'observe');
  const told: DenyCounter[] = [];
  tellRetired((counters) => told.push(...counters));
  t.equal(packetsOf(told), 3, 'before anybody listened');
  await strangers(2);
  await put(3, 'enforce');
  t.equal(packetsOf(told), 3 + 2, 'and since');
});

t.test('a host where IPv6 is off and not judged says so, and no other does', async (t) => {
  const host = await startHost(t);
  const [there, away] = [createToolRun({ where: host.where }), createToolRun({ where: ['/nowhere/at-all'] })];
  t.strictSame((await openHost('host-db', CONFIG, there)).warnings, []);
  await host.run('sysctl', '-qw', ...['all', 'default'].map((conf) => `net.ipv6.conf.${conf}.disable_ipv6=1`));
  const fourOnly: RunTool = (call) => (call.program.startsWith('ip6tables') ? away(call) : there(call));
  t.match((await openHost('host-db', CONFIG, fourOnly)).warnings, [/^IPv6 is switched off/]);
});

t.test('where rules of ours stand in one backend the other is refused, and taking them away finds both', async (t) => {
  const host = await startHost(t);
  const run = createToolRun({ where: host.where });
  const [nft, legacy] = [createNetfilter('nft', run), createNetfilter('legacy', run)];
  const apply = async (netfilter: typeof nft): Promise<void> => {
    const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
    await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
    await point.close();
  };
  await apply(legacy);
  const stateDir = t.testdir({});
  const wanting = readAgentConfig({ value: { backend: 'nft', stateDir }, file: 'agent.yaml', env: {} });
  await t.rejects(openHost('host-db', wanting, run), { code: 'EDW_ERR_HOST_BACKEND' });
  // As an agent did that only warned of it.
  await apply(nft);
  await removeFromHost(wanting, host.where);
  for (const netfilter of [nft, legacy])
    t.equal(await readInForce(netfilter), null, `nothing is left in ${netfilter.backend}`);
  await openHost('host-db', wanting, run);
});

t.test('the kernel itself says whether a host enforces', async (t) => {
  const host = await startHost(t);
  const { point, netfilter } = await openHost('host-db', CONFIG, createToolRun({ where: host.where }));
  t.teardown(point.close);
  const modes = ['enforce', 'observe', 'enforce', 'off'] as const;
  for (const [at, mode] of modes.entries()) {
    await point.apply(hostPolicy({ revision: at + 1, allow: ['10.1.0.0/16'], mode }));
    await point.settled();
    t.equal((await readInForce(netfilter))?.enforces, mode === 'enforce', mode);
  }
});
