/** What somebody else does to our rules and sets: seen, also by a new process, and repaired without touching theirs. */
import { requireHosts, startHost, type TestHost } from '@edgeward/test/kit';
import t from 'tap';
import { type Backend, createHostPoint, createNetfilter, createToolRun } from '../driver/index.ts';
import { closedWith } from './fixtures/closed-with.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';
import { HOST_OPTIONS } from './fixtures/host-options.ts';
import { readForeign, readOwnState, writeForeign } from './fixtures/host-own-state.ts';

requireHosts(t);
t.jobs = 3;

interface Scene {
  host: TestHost;
  backend: Backend;
  /** `iptables` of this backend. */
  tables(...args: string[]): Promise<string>;
  generation: string;
  set: string;
}

interface Tampering {
  name: string;
  tamper(scene: Scene): Promise<unknown>;
  /** Words of the drift; null where nothing of ours is left to tell of it. */
  told: RegExp | null;
  /** What they did stays where it is theirs: not looked at then. */
  theirs?: true;
}

const TAMPERINGS: Tampering[] = [
  { name: 'our entry chain is emptied', tamper: ({ tables }) => tables('-F', 'EW-IN'), told: /rules differ/ },
  { name: 'the jump is deleted', tamper: ({ tables }) => tables('-D', 'INPUT', '1'), told: /rules differ/ },
  { name: 'what goes out is not seen', tamper: ({ tables }) => tables('-D', 'OUTPUT', '1'), told: /rules differ/ },
  {
    name: 'what goes out is dropped in our chain',
    tamper: ({ tables }) => tables('-A', 'EW-OUT', '-j', 'DROP'),
    told: /rules differ/,
  },
  {
    name: 'a rule is put before our jump',
    tamper: ({ tables }) => tables('-I', 'INPUT', '1', '-j', 'ACCEPT'),
    told: /a rule stands before EW-IN in INPUT/,
    theirs: true,
  },
  {
    name: 'a rule is put into our chain',
    tamper: ({ tables, generation }) => tables('-I', `EW-POL-${generation}`, '1', '-j', 'ACCEPT'),
    told: /rules differ/,
  },
  {
    name: 'a rule of ours is replaced',
    tamper: ({ tables, generation }) => tables('-R', `EW-DENY-${generation}`, '2', '-j', 'ACCEPT'),
    told: /rules differ/,
  },
  {
    name: 'a rule of ours does something else, and says what it said',
    tamper: async ({ host, backend, tables, generation }) => {
      const rules = await host.run(`iptables-${backend}-save`, '-t', 'filter');
      const said = /-A EW-DENY-\d+ .*--comment "?(ew:[0-9a-f]{12})"? -j DROP/.exec(rules)?.[1] ?? '';
      await tables('-R', `EW-DENY-${generation}`, '2', '-m', 'comment', '--comment', said, '-j', 'ACCEPT');
    },
    told: /rules differ/,
  },
  {
    name: 'a rule of ours drops one caller only, and says and does what it did',
    tamper: (scene) => narrowed(scene, ['-s', '1.2.3.4']),
    told: /rules differ/,
  },
  {
    name: 'a rule of ours drops every other packet',
    tamper: (scene) => narrowed(scene, ['-m', 'statistic', '--mode', 'nth', '--every', '2', '--packet', '0']),
    told: /rules differ/,
  },
  {
    name: 'more states pass as known',
    tamper: async ({ host, backend, tables }) => {
      const rules = await host.run(`iptables-${backend}-save`, '-t', 'filter');
      const known = rules.split('\n').filter((line) => line.startsWith('-A EW-IN '));
      const at = known.findIndex((line) => line.includes('--ctdir REPLY'));
      const words = (known[at] ?? '').replaceAll('"', '').replace(' ESTABLISHED ', ' NEW,ESTABLISHED ').split(' ');
      await tables('-R', 'EW-IN', String(at + 1), ...words.slice(2));
    },
    told: /rules differ/,
  },
  { name: 'the table is emptied', tamper: ({ tables }) => tables('-F'), told: null, theirs: true },
  {
    name: 'another firewall loads its own rules over everything',
    tamper: ({ host, backend }) =>
      host.run('sh', '-c', `iptables-${backend}-save | grep -v EW- | iptables-${backend}-restore`),
    told: null,
    theirs: true,
  },
  {
    name: 'a member is added',
    tamper: ({ host, set }) => host.run('ipset', 'add', set, '0.0.0.0/1,tcp:5432'),
    told: /set ew4p-\S+ was changed/,
  },
  {
    name: 'a member is taken away',
    tamper: ({ host, set }) => host.run('ipset', 'del', set, '10.1.0.0/16,tcp:5432'),
    told: /set ew4p-\S+ was changed/,
  },
  {
    name: 'a set is emptied',
    tamper: ({ host, set }) => host.run('ipset', 'flush', set),
    told: /set ew4p-\S+ was changed/,
  },
  {
    name: 'a member is exchanged, so that the count stays',
    tamper: async ({ host, set }) => {
      await host.run('ipset', 'del', set, '10.1.0.0/16,tcp:5432');
      await host.run('ipset', 'add', set, '10.9.0.0/16,udp:5432');
    },
    told: /set ew4p-\S+ was changed/,
  },
];

async function narrowed({ host, backend, tables, generation }: Scene, match: string[]): Promise<void> {
  const rules = await host.run(`iptables-${backend}-save`, '-t', 'filter');
  const said = /-A EW-DENY-\d+ .*--comment "?(ew:[0-9a-f]{12})"? -j DROP/.exec(rules)?.[1] ?? '';
  await tables('-R', `EW-DENY-${generation}`, '2', ...match, '-m', 'comment', '--comment', said, '-j', 'DROP');
}

for (const backend of ['nft', 'legacy'] as const) {
  t.test(`whatever is tampered with is seen and repaired (${backend})`, async (t) => {
    const host = await startHost(t);
    const open = (): ReturnType<typeof createHostPoint> =>
      closedWith(
        t,
        createHostPoint({
          name: 'host-db',
          options: HOST_OPTIONS,
          netfilter: createNetfilter(backend, createToolRun({ where: host.where })),
        }),
      );
    const policy = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });
    const point = open();
    await point.apply(policy);
    const wanted = await readOwnState(host, backend);
    await writeForeign(host, backend);
    const tables = (...args: string[]): Promise<string> => host.run(`iptables-${backend}`, ...args);
    for (const { name, tamper, told, theirs } of TAMPERINGS) {
      const rules = await host.run(`iptables-${backend}-save`, '-t', 'filter');
      const generation = /EW-POL-(\d+)/.exec(rules)?.[1] ?? '';
      const set = /ew4p-[0-9a-f]{16}/.exec(rules)?.[0] ?? '';
      const foreign = await readForeign(host, backend);
      await tamper({ host, backend, tables, generation, set });
      const [seen, anew] = [await point.inspect(), await open().inspect()];
      t.ok(seen.state === 'loaded' && seen.hash === policy.hash && seen.drift.length > 0, `${name}: seen`);
      if (told === null) t.ok(anew.state === 'empty', `${name}: a new process finds a host without a policy`);
      else t.match(anew.state === 'loaded' ? anew.drift.join('; ') : '', told, `${name}: told by a new process`);
      await point.apply(policy);
      await point.settled();
      t.strictSame(await readOwnState(host, backend), wanted, `${name}: repaired`);
      t.strictSame(
        await point.inspect(),
        { state: 'loaded', revision: 1, hash: policy.hash, drift: [], unfinished: [] },
        `${name}: nothing is left`,
      );
      if (theirs !== true) t.strictSame(await readForeign(host, backend), foreign, `${name}: theirs is as it was`);
    }
  });
}

t.test('a chain of ours that a foreign rule jumps to holds nothing up', async (t) => {
  const host = await startHost(t);
  const netfilter = createNetfilter('nft', createToolRun({ where: host.where }));
  const point = closedWith(t, createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter }));
  await point.apply(hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }));
  const generation = /EW-POL-(\d+)/.exec(await host.run('iptables-nft-save', '-t', 'filter'))?.[1] ?? '';
  await host.run('iptables-nft', '-N', 'THEIRS');
  await host.run('iptables-nft', '-A', 'THEIRS', '-p', 'tcp', '-g', `EW-POL-${generation}`);
  const policy = hostPolicy({ revision: 2, allow: ['10.2.0.0/16'] });
  await point.apply(policy);
  const found = { state: 'loaded', revision: 2, hash: policy.hash, drift: [], unfinished: [] };
  t.strictSame(await point.inspect(), found, 'in force, and no drift');
  t.strictSame((await point.apply(policy)).writes, 0, 'nothing left to write');
});
