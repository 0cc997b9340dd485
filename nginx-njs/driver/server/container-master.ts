/**
 * An NGINX in a container: the child is Docker's client, and all else is asked of Docker. The container ends when its
 * stdin does (see container-words.ts), so nothing watches over it here.
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProgramRun, runProgram } from '@edgeward/debian-packages';
import type { Master } from './master.ts';
import { type Worker, workersAmong } from './workers.ts';

const callTimeoutMs = 10_000;
const removalPollMs = 100;

export function containerMaster(child: ChildProcess, container: string): Master {
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.stdin?.on('error', () => {});
  return {
    workers: () => containerWorkers(container),
    async signal(signal) {
      await docker(['kill', '--signal', signal, container]);
      // A container that does not run yet can't be signalled, but it ends as soon as it finds stdin closed.
      if (signal === 'SIGKILL') child.stdin?.end();
    },
    ended: (waitMs) => {
      const timer = new AbortController();
      const late = sleep(waitMs, false, { signal: timer.signal }).catch(() => false);
      return Promise.race([gone.then(() => true), late]).finally(() => timer.abort());
    },
    async clear() {
      // Docker removes a container that ended. One whose client was killed may still run, or may never have started.
      await docker(['rm', '--force', container]);
      // Where Docker is removing it already, that call is refused, and the end of the removal not waited for.
      for (let attempt = 0; attempt < 50 && (await isThere(container)); attempt++) await sleep(removalPollMs);
    },
  };
}

async function isThere(container: string): Promise<boolean> {
  return (await docker(['container', 'inspect', '--format', '{{.Id}}', container])).code === 0;
}

/** The first line of `docker top` names the columns; which there are is up to the `ps` of Docker's host. */
async function containerWorkers(container: string): Promise<Worker[]> {
  const { stdout } = await docker(['top', container]);
  const [titles = '', ...rows] = stdout.split('\n');
  const column = titles.trim().split(/\s+/).indexOf('PID');
  return workersAmong(rows.map((row) => ({ pid: Number(row.trim().split(/\s+/)[column]), title: row })));
}

function docker(args: readonly string[]): Promise<ProgramRun> {
  return runProgram('docker', args, { timeoutMs: callTimeoutMs });
}
