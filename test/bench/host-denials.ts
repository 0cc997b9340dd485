/** A flood of denied datagrams on a host: what the kernel counted, what had a name, what is told as a gap, and what it cost. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { createHostPoint, createNetfilter, createToolRun, hostCounters } from '@edgeward/host-agent';
import { parseDenialBatch } from '@edgeward/host-agent/protocol';
import { createLogger, systemClock } from '@edgeward/runtime';
import { createDenials } from '../../host-agent/src/denials/index.ts';
import { HOST_ADDRESSES, type TestHost } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import { hostPolicy } from './host-policies.ts';
import { cpuOf, OPTIONS, outputOf, peerOf, startScript, withHost } from './host-tools.ts';
import { fixed } from './statistics.ts';

const SECONDS = Number(process.env.EDGEWARD_BENCH_SECONDS ?? 10);
const SOURCES = Array.from({ length: 32 }, (_, n) => `203.0.113.${n + 1}`);
const FLOOD = '../../host-agent/test/fixtures/flooding.ts';
const PATIENCE_MS = 60_000;

export const hostDenials: Benchmark = {
  name: 'host-denials',
  measures: 'what becomes of a flood of denied datagrams, and what counting it costs',
  async run(bench) {
    const rows: string[][] = [];
    for (const backend of ['nft', 'legacy'] as const) {
      const result = await withHost(bench, (host) => measureBackend(bench, host, backend, rows));
      if (result.state === 'skipped') return result;
    }
    const head = [
      'a flood of denied datagrams',
      'sent',
      'a second',
      'counted by the kernel',
      'told to the service',
      'lost',
    ];
    return {
      state: 'measured',
      tables: [{ head: [...head, 'of these named', 'netlink drops', 'ulogd ms/s', 'Node ms/s'], rows }],
      notes: [
        `${SOURCES.length} sources as fast as one Node process sends, for ${SECONDS} s. Told: records with a name and their counts, and gaps with theirs, in the service’s hands. Lost: sent and not told.`,
        'CPU a second of the flood: ulogd; and the agent’s part, which is the process of this benchmark.',
      ],
    };
  },
};

async function measureBackend(
  bench: Bench,
  host: TestHost,
  backend: 'nft' | 'legacy',
  rows: string[][],
): Promise<Result> {
  bench.progress(backend);
  const [where, to] = [host.where, HOST_ADDRESSES.inet];
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-bench-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true }));
  const runtimeDir = join(folder, 'run');
  const netfilter = createNetfilter(backend, createToolRun({ where }));
  const policy = hostPolicy({ revision: 1, members: 3000, ports: ['udp/5999'], friends: ['10.1.0.0/16'] });
  await createHostPoint({ name: 'h', options: OPTIONS, netfilter }).apply(policy);
  const told = { named: 0, gaps: 0 };
  const denials = await createDenials({
    ...{ stateDir: join(folder, 'state'), runtimeDir, netfilter, where, windowMs: 1000, clock: systemClock },
    logger: createLogger({ level: 'silent' }),
    send: async (gzipped) => {
      const { epoch, records } = parseDenialBatch(String(await promisify(gunzip)(gzipped)));
      for (const { kind, count } of records) told[kind === 'denial' ? 'named' : 'gaps'] += count;
      return { epoch, acknowledged: records.at(-1)?.seq ?? 0 };
    },
  });
  bench.teardown(() => denials.close());
  denials.policyApplied(policy, 1, policy.hash.slice(0, 8));
  await host.call(SOURCES.map((from) => ({ from, to, port: 'udp/5999' })));
  await sleep(4000);
  const counted = async (): Promise<number> =>
    (await hostCounters(netfilter)).denials.reduce((sum, { packets }) => sum + packets, 0);
  const before = { kernel: await counted(), own: cpuOf('self').own, ulogd: await ulogdCpu(runtimeDir) };
  const sent = Number(await outputOf(startScript(bench, peerOf(host), FLOOD, [to, String(SECONDS), ...SOURCES])));
  const after = { kernel: await counted(), own: cpuOf('self').own, ulogd: await ulogdCpu(runtimeDir) };
  await until(() => told.named + told.gaps >= after.kernel);
  const { netlinkDrops } = denials.counters();
  const all = told.named + told.gaps - before.kernel;
  rows.push([
    backend,
    ...[sent, sent / SECONDS, after.kernel - before.kernel, all, sent - all, told.named, netlinkDrops].map((count) =>
      Math.round(count).toLocaleString('en'),
    ),
    ...[after.ulogd - before.ulogd, after.own - before.own].map((ms) => fixed(ms / SECONDS)),
  ]);
  await denials.close();
  return { state: 'measured', tables: [], notes: [] };
}

async function ulogdCpu(runtimeDir: string): Promise<number> {
  const pid = Number(await readFile(join(runtimeDir, 'ulogd.pid'), 'utf8').catch(() => '0'));
  return pid > 0 ? cpuOf(pid).own : Number.NaN;
}

/** What does not come is shown as lost. */
async function until(holds: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS && !holds(); waitedMs += 100) await sleep(100);
}
