/** A policy that only lets more in: its members go into the sets that stand, and nothing else is touched. */
import { HOST_ADDRESSES, requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import {
  type Backend,
  createHostPoint,
  createNetfilter,
  createToolRun,
  type DenyCounter,
  type HostPoint,
  hostCounters,
  type RunTool,
} from '../driver/index.ts';
import { closedWith } from './fixtures/closed-with.ts';
import { cuttingRun, hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';

requireHosts(t);
t.jobs = 3;

const { inet, inet6 } = HOST_ADDRESSES;
const FEW = ['10.1.0.0/24', '10.4.0.1', '2001:db8:1::/48'];
const MORE = [...FEW, '10.1.1.0/24', '10.2.0.7', '10.4.0.0', '2001:db8:2::/48'];
const few = hostPolicy({ revision: 1, allow: FEW });
const more = hostPolicy({ revision: 2, allow: MORE });
const most = hostPolicy({ revision: 3, allow: [...MORE, '10.3.0.0/16'] });
const fewer = hostPolicy({ revision: 4, allow: FEW });
const PORT = 'tcp/5432';
const flows = [
  { from: '10.1.0.5', to: inet, port: PORT },
  { from: '10.1.1.5', to: inet, port: PORT },
  { from: '10.4.0.0', to: inet, port: PORT },
  { from: '10.3.0.1', to: inet, port: PORT },
  { from: '2001:db8:2::1', to: inet6, port: PORT },
];

interface Scene {
  host: TestHost;
  run: RunTool;
  open(run?: RunTool): HostPoint;
  /** Names of our sets, generation, and sets that the rules say have grown. */
  shape(): Promise<{ sets: string[]; generation: string; grown: number }>;
}

async function scene(t: Test, backend: Backend): Promise<Scene> {
  const host = await startHost(t);
  const run = createToolRun({ where: host.where });
  return {
    host,
    run,
    open: (how = run) =>
      closedWith(
        t,
        createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter: createNetfilter(backend, how) }),
      ),
    shape: async () => {
      const rules = await host.run(`iptables-${backend}-save`, '-t', 'filter');
      const sets = (await host.run('ipset', 'list', '-n')).split('\n').filter((name) => name.startsWith('ew'));
      return {
        sets: sets.sort(),
        generation: /EW-POL-(\d+)/.exec(rules)?.[1] ?? '',
        grown: rules.match(/ew1:set:/g)?.length ?? 0,
      };
    },
  };
}

const loaded = ({ revision, hash }: { revision: number; hash: string }): object => ({
  state: 'loaded',
  revision,
  hash,
  drift: [],
  unfinished: [],
});

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`members that are added go into the sets that stand (${backend})`, async (t) => {
    const { host, open, shape } = await scene(t, backend);
    const netfilter = createNetfilter(backend, createToolRun({ where: host.where }));
    const point = open();
    await point.apply(few);
    const before = await shape();
    t.strictSame(await host.call(flows), ['refused', 'silent', 'silent', 'silent', 'silent'], 'a few are let in');
    const denied = packets((await hostCounters(netfilter)).denials);
    t.ok(denied > 0, 'the others are counted');
    const { writes } = await point.apply(more);
    t.equal(writes, 3, 'one program for all sets, and one a family to say so');
    const { grown, ...after } = await shape();
    t.ok(grown > 0, 'the rules say which sets have grown');
    t.strictSame(after, { sets: before.sets, generation: before.generation }, 'names and generation stay');
    t.ok(packets((await hostCounters(netfilter)).denials) >= denied, 'counters go on');
    t.strictSame(await host.call(flows), ['refused', 'refused', 'refused', 'silent', 'refused'], 'more are let in');
    for (const one of [point, open()]) {
      t.strictSame(await one.inspect(), loaded(more), 'what is in force is told, also to a new process');
      t.equal((await one.apply(more)).writes, 0, 'and there is nothing to write');
    }
    await open().apply(most);
    t.equal((await shape()).generation, before.generation, 'by a new process as well');
    t.equal((await host.call(flows))[3], 'refused', 'and once more');
    await point.apply(fewer);
    await point.settled();
    const last = await shape();
    t.strictSame(
      await host.call(flows),
      ['refused', 'silent', 'silent', 'silent', 'silent'],
      'and they can be taken out',
    );
    t.ok(last.generation !== before.generation && last.sets.length === before.sets.length, 'by new sets');
    t.strictSame(await open().inspect(), loaded(fewer), 'also where a set of that name held something else');
  });

  t.test(`cut off between members and rules it is seen, and mended in either direction (${backend})`, async (t) => {
    for (const goal of [hostPolicy({ revision: 2, allow: FEW }), more]) {
      const { host, open } = await scene(t, backend);
      const cutting = cuttingRun(host.where);
      for (const n of [1, 2, 3]) {
        await open().apply({ ...few, revision: 1 });
        cutting.failAtWrite(n);
        await t.rejects(open(cutting.run).apply(more), { code: 'EDW_ERR_POINT_UNREACHABLE' }, `cut at write ${n}`);
        cutting.mend();
        const found = await open().inspect();
        const whole = found.state === 'loaded' && found.hash === few.hash && found.drift.length === 0;
        t.ok(n === 1 ? whole : found.state === 'loaded' && found.drift.length > 0, `${n}: ${JSON.stringify(found)}`);
        const heir = open();
        await heir.apply(goal);
        await heir.settled();
        t.strictSame(await open().inspect(), loaded(goal), 'the next process makes it whole');
        await host.run('sh', '-c', clearing(backend));
      }
    }
  });

  t.test(`a set that has grown is watched as any other (${backend})`, async (t) => {
    const { host, open, shape } = await scene(t, backend);
    const point = open();
    await point.apply(few);
    await point.apply(more);
    const { sets, generation } = await shape();
    const set = sets.find((name) => name.startsWith('ew4p')) ?? '';
    await host.run('ipset', 'add', set, '203.0.113.9,tcp:5432');
    const found = await open().inspect();
    t.strictSame(found.state === 'loaded' && found.drift, [`set ${set} was changed`], 'seen');
    await point.apply(more);
    await point.settled();
    t.strictSame(await open().inspect(), loaded(more), 'repaired');
    t.not((await shape()).generation, generation, 'and what was let in is judged anew');
    await host.run('sh', '-c', `iptables-${backend} -F EW-META`);
    await point.apply(more);
    await point.settled();
    t.strictSame(await open().inspect(), loaded(more), 'also where the rules no longer say what it holds');
  });
}

t.test('a set that has grown and that somebody else names too goes out of our hands in peace', async (t) => {
  const { host, open, shape } = await scene(t, 'nft');
  const point = open();
  await point.apply(few);
  await point.apply(more);
  const set = (await shape()).sets.find((name) => name.startsWith('ew4p')) ?? '';
  await host.run('iptables-nft', '-A', 'INPUT', '-m', 'set', '--match-set', set, 'src,dst', '-j', 'ACCEPT');
  await point.apply(fewer);
  await point.close();
  t.ok((await shape()).sets.includes(set), 'it is still there');
  t.strictSame(await open().inspect(), loaded(fewer), 'what it holds is nothing to us');
  t.equal((await open().apply(fewer)).writes, 0, 'and there is nothing to write');
});

const packets = (counters: DenyCounter[]): number => counters.reduce((sum, { packets }) => sum + packets, 0);

const clearing = (backend: Backend): string =>
  `${['iptables', 'ip6tables'].flatMap((program) => [`${program}-${backend} -F`, `${program}-${backend} -X`]).join(' && ')}
  for n in 1 2 3 4 5 6 7 8 9; do ipset destroy && exit 0; sleep 0.05; done; exit 1`;
