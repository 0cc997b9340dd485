/**
 * The agent as it is installed, one executable, with its children: memory and CPU while nothing happens, and while the policy changes
 * every two seconds. A small service of the tests serves it over mutual TLS.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleProgram } from '../../host-agent/package/bundle.ts';
import { makeExecutable, pinnedNode } from '../../host-agent/package/executable.ts';
import { startAgentHost } from '../../host-agent/test/agent/agent-host.ts';
import type { Bench, Benchmark } from './benchmark.ts';
import { hostPolicy } from './host-policies.ts';
import { cpuOf, memoryOf, withHost } from './host-tools.ts';
import { fixed } from './statistics.ts';

const IDLE_S = Number(process.env.EDGEWARD_BENCH_IDLE_S ?? 300);
const CHURN_S = Number(process.env.EDGEWARD_BENCH_CHURN_S ?? 60);
const CHANGE_EACH_MS = 2000;
const MEMBERS = 10_000;
const MEBI = 2 ** 20;

export const hostAgent: Benchmark = {
  name: 'host-agent',
  measures: 'memory and CPU of the agent, idle and while the policy changes',
  run: (bench) =>
    withHost(bench, async () => {
      bench.progress('building the executable');
      const program = await executable(bench);
      const site = await startAgentHost(bench);
      await site.enrol();
      const [ip = '', ...words] = [...site.host.where, program, 'agent', 'run', '--config', site.configFile];
      const child = spawn(ip, words, { stdio: 'ignore' });
      bench.teardown(async () => {
        const closed = once(child, 'close');
        child.kill('SIGTERM');
        await closed;
      });
      const pid = child.pid ?? 0;
      let revision = 1;
      const offer = (members: number): Promise<void> => site.service.offer(policyOf(revision, members));
      await offer(MEMBERS);
      await site.until(({ report }) => report.applied?.revision === revision, 'the policy is in force');
      await sleep(15_000);
      const rows = [[`idle, ${IDLE_S} s`, ...(await over(pid, () => sleep(IDLE_S * 1000)))]];
      for (const [words, membersOf] of [
        ['ten more members each 2 s', (n: number): number => MEMBERS + n * 10],
        ['members taken out and put back each 2 s', (n: number): number => MEMBERS - (n % 2) * 10],
      ] as const) {
        bench.progress(words);
        const churn = async (): Promise<void> => {
          for (let n = 1; n <= (CHURN_S * 1000) / CHANGE_EACH_MS; n += 1) {
            revision += 1;
            const pace = sleep(CHANGE_EACH_MS);
            await offer(membersOf(n));
            await pace;
          }
        };
        rows.push([`${words}, ${CHURN_S} s`, ...(await over(pid, churn))]);
      }
      const children = await childrenOf(pid);
      const others = children.map((one) => `${one.name} ${fixed(one.bytes / MEBI)} MiB`).join(', ');
      const head = ['the agent, 10,000 sources', 'resident MiB', 'of that its own', 'peak MiB'];
      return {
        state: 'measured',
        tables: [{ head: [...head, 'CPU % of a core', 'programs it ran, %'], rows }],
        notes: [
          `Its own: anonymous memory; the rest is Node’s executable, of which pages can be dropped. Children that stay: ${others === '' ? 'none' : others}.`,
          'Denials are counted each 10 s, rules told by `nft monitor`, sets looked at each 10 s, a report each minute. CPU by the kernel’s ticks of 10 ms, of the process and of the programs that it ran and that have ended.',
        ],
      };
    }),
};

function policyOf(revision: number, members: number): ReturnType<typeof hostPolicy> {
  return { ...hostPolicy({ revision, members, ports: ['tcp/5432'] }), point: 'host-db' };
}

async function executable(bench: Bench): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-bench-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true }));
  const [script, outFile] = [join(folder, 'agent.cjs'), join(folder, 'edgeward')];
  await bundleProgram({ entry: 'cli/src/agent/main.ts', version: 'bench', outFile: script });
  await makeExecutable({ node: await pinnedNode(), script, workDir: folder, outFile });
  return outFile;
}

async function over(pid: number, work: () => Promise<void>): Promise<string[]> {
  const [before, fromMs] = [cpuOf(pid), performance.now()];
  await work();
  const [after, tookMs] = [cpuOf(pid), performance.now() - fromMs];
  const { now, anonymous, peak } = memoryOf(pid);
  const percent = (ms: number): string => fixed((ms / tookMs) * 100);
  return [
    ...[now, anonymous, peak].map((bytes) => fixed(bytes / MEBI)),
    percent(after.own - before.own),
    percent(after.children - before.children),
  ];
}

async function childrenOf(pid: number): Promise<{ name: string; bytes: number }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = pids.map(async (one) => {
    const status = await readFile(`/proc/${one}/status`, 'utf8').catch(() => '');
    const name = /^Name:\s+(.*)$/m.exec(status)?.[1] ?? '';
    return status.includes(`\nPPid:\t${pid}\n`) ? [{ name, bytes: memoryOf(one).now }] : [];
  });
  return (await Promise.all(found)).flat();
}
