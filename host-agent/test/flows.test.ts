/** What lives on, and what is cut, when the policy changes under connections that are open. */
import { HOST_ADDRESSES, requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type Backend, createHostPoint, createNetfilter, createToolRun, type HostOptions } from '../driver/index.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';

requireHosts(t);

const FAMILIES = [
  { name: 'IPv4', to: HOST_ADDRESSES.inet, stays: '10.1.0.5', goes: '10.2.0.5', stranger: '203.0.113.9' },
  {
    name: 'IPv6',
    to: HOST_ADDRESSES.inet6,
    stays: '2001:db8:1::5',
    goes: '2001:db8:2::5',
    stranger: '2001:db8:bad::9',
  },
];
const BOTH = ['10.1.0.0/16', '10.2.0.0/16', '2001:db8:1::/48', '2001:db8:2::/48'];
const PORT = 'tcp/5432';

/** Ends well when a connection of the host's own is refused by whom it calls: the refusal came through. */
const refusedBy = (address: string): string => `
  require('node:net').connect(9, '${address}').on('error', ({ code }) => process.exit(code === 'ECONNREFUSED' ? 0 : 1));
  setTimeout(() => process.exit(1), 5000);
`;

interface Scene {
  host: TestHost;
  point: ReturnType<typeof createHostPoint>;
  connect(from: string, to: string): Promise<number>;
  echo(connection: number): Promise<boolean>;
}

async function scene(t: Test, backend: Backend, options: Partial<HostOptions> = {}): Promise<Scene> {
  const host = await startHost(t);
  const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
  const point = createHostPoint({ name: 'host-db', options: { ...HOST_OPTIONS, ...options }, netfilter });
  await host.probe().listen(PORT);
  return {
    host,
    point,
    connect: async (from, to) => {
      t.strictSame(await host.call([{ from, to, port: PORT }]), ['open'], `${from} is let in`);
      return host.probe().connect({ from, to, port: PORT });
    },
    echo: (connection) => host.probe().echo(connection),
  };
}

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`a peer whose allow is removed is cut at its next packet, others live on (${backend})`, async (t) => {
    const { point, connect, echo } = await scene(t, backend);
    await point.apply(hostPolicy({ revision: 1, allow: BOTH }));
    const open = [];
    for (const { name, to, stays, goes } of FAMILIES)
      open.push({ name, stays: await connect(stays, to), goes: await connect(goes, to) });
    for (const { name, stays, goes } of open)
      t.strictSame([await echo(stays), await echo(goes)], [true, true], `${name}: both are answered`);
    await point.apply(hostPolicy({ revision: 2, allow: ['10.1.0.0/16', '2001:db8:1::/48'] }));
    for (const { name, stays, goes } of open)
      t.strictSame([await echo(stays), await echo(goes)], [true, false], `${name}: one is answered`);
    await point.apply(hostPolicy({ revision: 3, allow: BOTH }));
    for (const { name, stays } of open) t.ok(await echo(stays), `${name}: and still is after a further change`);
  });

  t.test(`who got in through a set that was tampered with is cut by the repair (${backend})`, async (t) => {
    const { host, point, connect, echo } = await scene(t, backend);
    const policy = hostPolicy({ revision: 1, allow: BOTH });
    await point.apply(policy);
    const names = await host.run('ipset', 'list', '-n');
    const connections = [];
    for (const { name, to, stays, stranger } of FAMILIES) {
      const [set = ''] = (name === 'IPv4' ? /^ew4p-\S+/m : /^ew6p-\S+/m).exec(names) ?? [];
      await host.run('ipset', 'add', set, `${stranger},tcp:5432`);
      connections.push({ name, stranger: await connect(stranger, to), stays: await connect(stays, to) });
    }
    await point.apply(policy);
    for (const { name, stranger, stays } of connections)
      t.strictSame([await echo(stranger), await echo(stays)], [false, true], name);
  });
}

t.test('a generation comes again, but none that an idle flow still carries', async (t) => {
  // Three generations: each fourth policy would have the number of the first.
  const { host, point, connect, echo } = await scene(t, 'nft', { mark: { mask: 0x3_0000, shift: 16 } });
  await point.apply(hostPolicy({ revision: 1, allow: BOTH }));
  const generation = async (): Promise<string> =>
    /EW-POL-(\d+)/.exec(await host.run('iptables-nft-save', '-t', 'filter'))?.[1] ?? '';
  const open = [];
  for (const { name, to, goes } of FAMILIES) open.push({ name, goes: await connect(goes, to) });
  const first = await generation();
  const seen = [];
  for (let revision = 2; revision <= 8; revision += 1) {
    await point.apply(hostPolicy({ revision, allow: [`10.1.${revision}.0/24`] }));
    seen.push(await generation());
  }
  t.strictSame([seen.includes(first), new Set(seen).size], [false, 2], `${first}, then ${seen.join(' ')}`);
  for (const { name, goes } of open) t.notOk(await echo(goes), `${name}: whoever was revoked while idle is cut`);
});

for (const backend of ['nft', 'legacy'] as const) {
  t.test(
    `where marks are taken by others a revoked peer's flows are forgotten, and others' not (${backend})`,
    async (t) => {
      const { point, connect, echo } = await scene(t, backend, { mark: null });
      await point.apply(hostPolicy({ revision: 1, allow: BOTH }));
      const open = [];
      for (const { name, to, stays, goes } of FAMILIES)
        open.push({ name, stays: await connect(stays, to), goes: await connect(goes, to) });
      const rest = ['10.1.0.0/16', '2001:db8:1::/48'];
      await point.apply(hostPolicy({ revision: 2, allow: rest, mode: 'observe' }));
      for (const { name, stays, goes } of open)
        t.strictSame([await echo(stays), await echo(goes)], [true, true], `${name}: who observes cuts nobody`);
      await point.apply(hostPolicy({ revision: 3, allow: rest }));
      for (const { name, stays, goes } of open)
        t.strictSame([await echo(stays), await echo(goes)], [true, false], `${name}: one is answered`);
    },
  );
}

t.test('where nobody could be cut, nothing is written', async (t) => {
  const host = await startHost(t);
  const [there, away] = [createToolRun({ where: host.where }), createToolRun({ where: ['/nowhere/at-all'] })];
  const netfilter = createNetfilter('nft', (call) => (call.program === 'conntrack' ? away(call) : there(call)));
  const options = { ...HOST_OPTIONS, mark: null };
  const policy = hostPolicy({ revision: 1, allow: BOTH });
  const point = createHostPoint({ name: 'host-db', options, netfilter });
  await t.rejects(point.apply(policy), { code: 'EDW_ERR_HOST_TOOL' }, 'marks are taken, and there is no conntrack');
  t.strictSame(await point.inspect(), { state: 'empty' }, 'as it was');
  const marking = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
  t.ok((await marking.apply(policy)).writes > 0, 'who has marks needs none');
});

t.test('answers to connections of the host itself pass, and what observes denies nothing', async (t) => {
  const { host, point } = await scene(t, 'nft');
  const flows = FAMILIES.map(({ stranger, to }) => ({ from: stranger, to, port: PORT }));
  await point.apply(hostPolicy({ revision: 1, allow: BOTH, mode: 'observe' }));
  t.strictSame(await host.call(flows), ['open', 'open'], 'observed');
  await point.apply(hostPolicy({ revision: 2, allow: BOTH, mode: 'enforce' }));
  t.strictSame(await host.call(flows), ['silent', 'silent'], 'enforced');
  for (const { stranger } of FAMILIES) await host.run(process.execPath, '-e', refusedBy(stranger));
  await point.apply(hostPolicy({ revision: 3, allow: BOTH, mode: 'off' }));
  t.strictSame(await host.call(flows), ['open', 'open'], 'off');
});
