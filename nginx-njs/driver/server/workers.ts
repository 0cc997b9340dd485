/**
 * The worker processes of one NGINX master, seen from outside. NGINX tells nobody when it is ready or when a reload is
 * done; the titles of its processes do. Linux is read from /proc, everything else from `ps`.
 */
import { runProgram } from '@edgeward/debian-packages';
import { readProcFile } from './proc-file.ts';

export interface Worker {
  readonly pid: number;
  /** It takes no new connections and ends when the last of its old ones does. */
  readonly leaving: boolean;
}

export interface Process {
  readonly pid: number;
  readonly title: string;
}

export async function workersOf(master: number): Promise<Worker[]> {
  return workersAmong(childrenFromProc(master) ?? (await childrenFromPs(master)));
}

/** Those of the processes whose title is a worker's. */
export function workersAmong(processes: readonly Process[]): Worker[] {
  return processes
    .filter(({ title }) => title.includes('nginx: worker process'))
    .map(({ pid, title }) => ({ pid, leaving: title.includes('is shutting down') }));
}

function childrenFromProc(master: number): Process[] | null {
  const text = readProcFile(`/proc/${master}/task/${master}/children`);
  if (text === null) return null;
  const pids = text.split(' ').filter(Boolean).map(Number);
  // A process that ended meanwhile has no title, which makes it no worker.
  return pids.map((pid) => ({ pid, title: (readProcFile(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ') }));
}

async function childrenFromPs(master: number): Promise<Process[]> {
  const run = await runProgram('ps', ['-A', '-o', 'pid=,ppid=,args='], { timeoutMs: 5_000 });
  const rows = run.stdout.split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line));
  return rows.flatMap((row) =>
    row !== null && Number(row[2]) === master ? [{ pid: Number(row[1]), title: row[3] ?? '' }] : [],
  );
}
