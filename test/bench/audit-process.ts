/** The collector of a benchmark as a process: started, asked how much it has stored, and what it took. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AuditChildOptions, AuditChildReady } from './audit-child.ts';
import type { Bench } from './benchmark.ts';
import { cpuOf, memoryOf } from './host-tools.ts';

export interface AuditProcess extends AuditChildReady {
  stored(): Promise<number>;
  /** Until so many are stored. Throws where nothing more is stored for a minute. */
  storedAll(count: number): Promise<void>;
  cpuMs(): number;
  /** Resident, without pages of files; in bytes. */
  memory(): number;
  end(): Promise<void>;
}

const CHILD = fileURLToPath(new URL('audit-child.ts', import.meta.url));
const LOOK_MS = 20;
const PATIENCE_MS = 60_000;

export async function startAuditProcess(bench: Bench, options: AuditChildOptions): Promise<AuditProcess> {
  const child = fork(CHILD, [JSON.stringify(options)], { execArgv: ['--conditions=edgeward-source', '--no-warnings'] });
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'exit');
    child.kill('SIGKILL');
    await closed;
  };
  bench.teardown(end);
  const failed = once(child, 'exit').then(() => Promise.reject(new Error('the collector of the benchmark ended')));
  failed.catch(() => {});
  const [ready] = (await Promise.race([once(child, 'message'), failed])) as [AuditChildReady];
  const pid = child.pid ?? 0;
  const stored = async (): Promise<number> => {
    child.send('stored');
    const [count] = (await Promise.race([once(child, 'message'), failed])) as [number];
    return count;
  };
  return {
    ...ready,
    ...{ stored, end },
    cpuMs: () => cpuOf(pid).own,
    memory: () => memoryOf(pid).anonymous,
    async storedAll(count) {
      let [last, sinceMs] = [-1, performance.now()];
      for (;;) {
        const now = await stored();
        if (now >= count) return;
        if (now !== last) [last, sinceMs] = [now, performance.now()];
        if (performance.now() - sinceMs > PATIENCE_MS) throw new Error(`${now} of ${count} were stored, and no more`);
        await sleep(LOOK_MS);
      }
    },
  };
}

/** CPU of a process and of those that it started and still has: a server of PostgreSQL has one for each connection. */
export function treeCpuMs(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number).filter(Boolean);
  const { own, children: ended } = cpuOf(pid);
  return children.reduce((sum, child) => sum + treeCpuMs(child), own + ended);
}
