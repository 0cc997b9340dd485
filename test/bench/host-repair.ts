/**
 * How long a door stands open when somebody changes the rules or sets of a guarded host: datagrams of a stranger come each
 * millisecond, and those that arrive tell it. Rules of nft are told of by the kernel; everything else is looked at by the clock.
 */
import { type Backend, createHostPoint, createNetfilter, createToolRun } from '@edgeward/host-agent';
import { createLogger, systemClock } from '@edgeward/runtime';
import { createGuard } from '../../host-agent/src/guard/index.ts';
import { type SteadyProbe, startSteadyProbe } from '../../host-agent/test/guard/fixtures/steady-probe.ts';
import { HOST_ADDRESSES, type TestHost } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import { hostPolicy } from './host-policies.ts';
import { OPTIONS, withHost } from './host-tools.ts';
import { fixed, SPREAD_HEAD, spread } from './statistics.ts';

const TIMES = Number(process.env.EDGEWARD_BENCH_TIMES ?? 15);
const PORT = 5432;
const FRIEND = '10.1.0.5';
const STRANGER = '203.0.113.9';
const PATIENCE_MS = 30_000;
/** As the guard has them. */
const [POLL_MS, SETS_MS] = [5000, 10_000];

interface Scene {
  host: TestHost;
  tables(...args: string[]): Promise<unknown>;
  set(): Promise<string>;
}

interface Tampering {
  name: string;
  tamper(scene: Scene): Promise<unknown>;
  nftOnly?: true;
}

const TAMPERINGS: Tampering[] = [
  { name: 'iptables -F EW-IN', tamper: ({ tables }) => tables('-F', 'EW-IN') },
  { name: 'the jump is deleted', tamper: ({ tables }) => tables('-D', 'INPUT', '1') },
  { name: 'ACCEPT before the jump', tamper: ({ tables }) => tables('-I', 'INPUT', '1', '-j', 'ACCEPT') },
  { name: 'iptables -F', tamper: ({ tables }) => tables('-F') },
  { name: 'nft flush ruleset', tamper: ({ host }) => host.run('nft', 'flush', 'ruleset'), nftOnly: true },
  {
    name: 'a member is added to a set',
    tamper: async ({ host, set }) => host.run('ipset', 'add', await set(), '128.0.0.0/1,udp:5432'),
  },
];

export const hostRepair: Benchmark = {
  name: 'host-repair',
  measures: 'how long strangers get in when somebody changes the rules of a guarded host',
  async run(bench) {
    const rows: string[][] = [];
    for (const backend of ['nft', 'legacy'] as const) {
      const result = await withHost(bench, (host) => measureBackend(bench, host, backend, rows));
      if (result.state === 'skipped') return result;
    }
    return {
      state: 'measured',
      tables: [{ head: ['open to a stranger, ms', 'times', ...SPREAD_HEAD, 'repair told after, median'], rows }],
      notes: [
        'From the first datagram of a stranger that arrives to the last; one is sent each millisecond. The last column: from before the tampering program is started until the guard says that all is repaired and judged anew.',
        'The guard as it is by default: 5 ms after the last word of a change it looks; rules of legacy each 5 s, headers of sets each 10 s, so that the door stands open for half of that on average. 3,000 sources.',
      ],
    };
  },
};

async function measureBackend(bench: Bench, host: TestHost, backend: Backend, rows: string[][]): Promise<Result> {
  const where = host.where;
  const netfilter = createNetfilter(backend, createToolRun({ where }));
  const point = createHostPoint({ name: 'h', options: OPTIONS, netfilter });
  const policy = hostPolicy({ revision: 1, members: 3000, ports: [`udp/${PORT}`], friends: ['10.1.0.0/16'] });
  await point.apply(policy);
  const flows = [STRANGER, FRIEND].map((from) => ({ from, to: HOST_ADDRESSES.inet, port: PORT }));
  await host.call(flows.map((flow) => ({ ...flow, port: 'udp/9' })));
  const probe = await startSteadyProbe(bench, host, flows);
  const scene: Scene = {
    host,
    tables: (...args) => host.run(`iptables-${backend}`, ...args),
    set: async () => /ew4p-[0-9a-f]{16}/.exec(await host.run(`iptables-${backend}-save`, '-t', 'filter'))?.[0] ?? '',
  };
  for (const { name, tamper, nftOnly } of TAMPERINGS) {
    if (nftOnly === true && backend !== 'nft') continue;
    bench.progress(`${backend}: ${name}`);
    const [open, told]: [number[], number[]] = [[], []];
    const slow = backend === 'legacy' || name.startsWith('a member');
    for (let time = 0; time < (slow ? Math.ceil(TIMES / 5) : TIMES); time += 1) {
      // A new one each time: whoever tampers this often is else fought with pauses.
      const guard = createGuard({
        ...{ point, netfilter, where, reaction: 'repair', clock: systemClock },
        logger: createLogger({ level: 'silent' }),
      });
      guard.policyApplied(policy);
      // Whoever looks by the clock is caught at any moment between two looks.
      await pause(900 + (slow ? Math.random() * (name.startsWith('a member') ? SETS_MS : POLL_MS) : 0));
      await probe.arrived();
      const fromMs = performance.now();
      await tamper(scene);
      await until(() => guard.status().repairs.count > 0);
      told.push(performance.now() - fromMs);
      open.push(await openFor(probe));
      await guard.close();
    }
    const kind = `${backend}: ${name}`;
    rows.push([
      kind,
      String(open.length),
      ...spread(open),
      fixed(told.toSorted((a, b) => a - b)[open.length >> 1] ?? 0),
    ]);
  }
  await point.close();
  return { state: 'measured', tables: [], notes: [] };
}

/** Also those that were on their way. */
async function openFor(probe: SteadyProbe): Promise<number> {
  await pause(150);
  const arrived = (await probe.arrived())[STRANGER] ?? [];
  return (arrived.at(-1) ?? 0) - (arrived[0] ?? 0);
}

async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`no repair within ${PATIENCE_MS} ms`);
    await pause(2);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
