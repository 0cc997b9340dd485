/** What lives on, and what is cut, when the policy changes under connections that are open. */
import { join } from 'node:path';
import { HOST_ADDRESSES, requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import {
  type Backend,
  createHostPoint,
  createNetfilter,
  createToolRun,
  type HostOptions,
  type HostPoint,
  type RunTool,
} from '../driver/index.ts';
import { closedWith } from './fixtures/closed-with.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';

requireHosts(t);
// Most of it is waiting for answers that must not come; each host is one of its own.
t.jobs = 4;

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
  run: RunTool;
  point: HostPoint;
  /** As another process would have it. */
  open(run?: RunTool): HostPoint;
  connect(from: string, to: string): Promise<number>;
  /** Which of these connections are answered, all asked at once. */
  echoes(connections: readonly number[]): Promise<boolean[]>;
}

async function scene(t: Test, backend: Backend, options: Partial<HostOptions> = {}): Promise<Scene> {
  const host = await startHost(t);
  const run = createToolRun({ where: host.where });
  const open = (how = run): HostPoint =>
    closedWith(
      t,
      createHostPoint({
        name: 'host-db',
        options: { ...HOST_OPTIONS, ...options },
        netfilter: createNetfilter(backend, how),
      }),
    );
  await host.probe().listen(PORT);
  return {
    host,
    run,
    open,
    point: open(),
    connect: async (from, to) => {
      t.strictSame(await host.call([{ from, to, port: PORT }]), ['open'], `${from} is let in`);
      return host.probe().connect({ from, to, port: PORT });
    },
    echoes: (connections) => Promise.all(connections.map((connection) => host.probe().echo(connection))),
  };
}

interface Connected {
  stay: number[];
  go: number[];
}

/** Of each family one that every policy here lets in, and one that is revoked. */
async function connected({ connect }: Scene): Promise<Connected> {
  const open: Connected = { stay: [], go: [] };
  for (const { to, stays, goes } of FAMILIES) {
    open.stay.push(await connect(stays, to));
    open.go.push(await connect(goes, to));
  }
  return open;
}

const REST = ['10.1.0.0/16', '2001:db8:1::/48'];
const [BOTH_LIVE, ONE_LIVES] = [
  [true, true, true, true],
  [true, true, false, false],
];

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`a peer whose allow is removed is cut at its next packet, others live on (${backend})`, async (t) => {
    const staged = await scene(t, backend);
    const { point, echoes } = staged;
    await point.apply(hostPolicy({ revision: 1, allow: BOTH }));
    const { stay, go } = await connected(staged);
    t.strictSame(await echoes([...stay, ...go]), BOTH_LIVE, 'all are answered');
    await point.apply(hostPolicy({ revision: 2, allow: REST }));
    t.strictSame(await echoes([...stay, ...go]), ONE_LIVES, 'of each family one is answered');
    await point.apply(hostPolicy({ revision: 3, allow: BOTH }));
    t.strictSame(await echoes(stay), [true, true], 'and still is after a further change');
  });

  t.test(`who got in through a set that was tampered with is cut by the repair (${backend})`, async (t) => {
    const { host, point, connect, echoes } = await scene(t, backend);
    const policy = hostPolicy({ revision: 1, allow: BOTH });
    await point.apply(policy);
    const names = await host.run('ipset', 'list', '-n');
    const open: Connected = { stay: [], go: [] };
    for (const { name, to, stays, stranger } of FAMILIES) {
      const [set = ''] = (name === 'IPv4' ? /^ew4p-\S+/m : /^ew6p-\S+/m).exec(names) ?? [];
      await host.run('ipset', 'add', set, `${stranger},tcp:5432`);
      open.go.push(await connect(stranger, to));
      open.stay.push(await connect(stays, to));
    }
    await point.apply(policy);
    t.strictSame(await echoes([...open.stay, ...open.go]), ONE_LIVES);
  });

  t.test(`where marks are taken by others a revoked peer is cut, and others not (${backend})`, async (t) => {
    const staged = await scene(t, backend, { mark: null });
    const { point, echoes } = staged;
    await point.apply(hostPolicy({ revision: 1, allow: BOTH }));
    const { stay, go } = await connected(staged);
    await point.apply(hostPolicy({ revision: 2, allow: REST, mode: 'observe' }));
    t.strictSame(await echoes([...stay, ...go]), BOTH_LIVE, 'who observes cuts nobody');
    await point.apply(hostPolicy({ revision: 3, allow: REST }));
    t.strictSame(await echoes([...stay, ...go]), ONE_LIVES, 'their flows are forgotten');
  });
}

t.test('many who are revoked are forgotten by few programs, and nobody else', async (t) => {
  const { host, open, run } = await scene(t, 'nft', { mark: null });
  await open().apply(hostPolicy({ revision: 1, allow: BOTH }));
  const flow = (from: string, to: string): string =>
    `-I -p tcp -t 600 --src ${from} --dst ${to} --sport 1000 --dport 5432 --state ESTABLISHED\n`;
  const going = Array.from({ length: 200 }, (_, n) => `10.2.${n}.5`);
  const staying = [...Array.from({ length: 20 }, (_, n) => `10.1.${n}.5`), '198.51.100.7'];
  const flows = [...going, ...staying].map((from) =>
    flow(from, from.startsWith('10.') ? HOST_ADDRESSES.inet : '192.0.2.9'),
  );
  const file = join(t.testdir({ flows: flows.join('') }), 'flows');
  await host.run('conntrack', '-R', file);
  let forgetting = 0;
  const counting: RunTool = (call) => {
    if (call.program === 'conntrack' && call.args[0] === '-D') forgetting += 1;
    return run(call);
  };
  await open(counting).apply(hostPolicy({ revision: 2, allow: REST }));
  const left = (await host.run('conntrack', '-L', '-p', 'tcp'))
    .split('\n')
    .flatMap((line) => / src=(\S+)/.exec(line)?.[1] ?? []);
  t.strictSame(left.sort(), staying.sort(), 'who is let in is tracked on, and so is what only passes through');
  t.equal(forgetting, 1, 'each reads the whole table');
});

const HEIRS = [
  { name: 'of the same policy', allow: REST, more: false },
  { name: 'of one that only lets more in', allow: [...REST, '192.0.2.7'], more: true },
];

for (const { name, allow, more } of HEIRS)
  t.test(`who was revoked by an apply that ended before it cut anybody is cut by the next one, ${name}`, async (t) => {
    const staged = await scene(t, 'nft', { mark: null });
    const { open, run, echoes } = staged;
    const dying: RunTool = (call) =>
      call.program === 'conntrack' && call.args[0] === '-D' ? Promise.reject(new Error('killed')) : run(call);
    await open().apply(hostPolicy({ revision: 1, allow: BOTH }));
    const { stay, go } = await connected(staged);
    await t.rejects(open(dying).apply(hostPolicy({ revision: 2, allow: REST })), { message: 'killed' });
    t.match(await open().inspect(), { state: 'loaded', revision: 2, drift: [] }, 'its rules are in force');
    const { writes } = await open().apply(hostPolicy({ revision: more ? 3 : 2, allow }));
    t.equal(writes > 0, more, more ? 'members are written' : 'nothing is written');
    t.strictSame(await echoes([...stay, ...go]), ONE_LIVES, 'cut');
  });

t.test('a generation comes again, but none that an idle flow still carries', async (t) => {
  // Three generations: each fourth policy would have the number of the first.
  const staged = await scene(t, 'nft', { mark: { mask: 0x3_0000, shift: 16 } });
  const { host, point, connect, echoes } = staged;
  await point.apply(hostPolicy({ revision: 1, allow: BOTH }));
  const generation = async (): Promise<string> =>
    /EW-POL-(\d+)/.exec(await host.run('iptables-nft-save', '-t', 'filter'))?.[1] ?? '';
  const open = [];
  for (const { to, goes } of FAMILIES) open.push(await connect(goes, to));
  const first = await generation();
  const seen = [];
  for (let revision = 2; revision <= 8; revision += 1) {
    await point.apply(hostPolicy({ revision, allow: [`10.1.${revision}.0/24`] }));
    seen.push(await generation());
  }
  t.strictSame([seen.includes(first), new Set(seen).size], [false, 2], `${first}, then ${seen.join(' ')}`);
  t.strictSame(await echoes(open), [false, false], 'whoever was revoked while idle is cut');
});

t.test('where nobody could be cut, nothing is written', async (t) => {
  const host = await startHost(t);
  const [there, away] = [createToolRun({ where: host.where }), createToolRun({ where: ['/nowhere/at-all'] })];
  const netfilter = createNetfilter('nft', (call) => (call.program === 'conntrack' ? away(call) : there(call)));
  const options = { ...HOST_OPTIONS, mark: null };
  const policy = hostPolicy({ revision: 1, allow: BOTH });
  const point = closedWith(t, createHostPoint({ name: 'host-db', options, netfilter }));
  await t.rejects(point.apply(policy), { code: 'EDW_ERR_HOST_TOOL' }, 'marks are taken, and there is no conntrack');
  t.strictSame(await point.inspect(), { state: 'empty' }, 'as it was');
  const marking = closedWith(t, createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter }));
  t.ok((await marking.apply(policy)).writes > 0, 'who has marks needs none');
});

t.test('answers to connections of the host itself pass, and what observes denies nothing', async (t) => {
  const { host, point } = await scene(t, 'nft');
  const flows = FAMILIES.map(({ stranger, to }) => ({ from: stranger, to, port: PORT }));
  await point.apply(hostPolicy({ revision: 1, allow: BOTH, mode: 'observe' }));
  t.strictSame(await host.call(flows), ['open', 'open'], 'observed');
  await point.apply(hostPolicy({ revision: 2, allow: BOTH, mode: 'enforce' }));
  t.strictSame(await host.call(flows), ['silent', 'silent'], 'enforced');
  await Promise.all(FAMILIES.map(({ stranger }) => host.run(process.execPath, '-e', refusedBy(stranger))));
  await point.apply(hostPolicy({ revision: 3, allow: BOTH, mode: 'off' }));
  t.strictSame(await host.call(flows), ['open', 'open'], 'off');
});
