/** What a number was measured on, without which it says nothing. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { privateNginx } from '../kit/index.ts';

const run = promisify(execFile);

export interface Circumstances {
  command: string;
  commit: string;
  date: string;
  machine: string;
}

export async function circumstances(command: string): Promise<Circumstances> {
  const { stdout } = await run('git', ['rev-parse', '--short', 'HEAD']);
  const { stdout: changes } = await run('git', [
    'status',
    '--porcelain',
    '--untracked-files=no',
    '--',
    '*.ts',
    '*.conf',
  ]);
  return {
    command,
    commit: `${stdout.trim()}${changes === '' ? '' : ' with uncommitted changes'}`,
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    machine: await machine(),
  };
}

async function machine(): Promise<string> {
  const cores = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(1);
  const hardware = `${cores[0]?.model ?? 'unknown CPU'}, ${cores.length} cores, ${memory} GiB`;
  const load = loadavg()[0]?.toFixed(1) ?? '?';
  return `${hardware}, Linux ${release()}, Node ${process.versions.node}, ${await nginx()}, load average ${load}`;
}

async function nginx(): Promise<string> {
  try {
    const { nginxVersion, njsVersion } = await privateNginx();
    return `NGINX ${nginxVersion} with njs ${njsVersion}`;
  } catch {
    return 'no NGINX';
  }
}

/**
 * How much somebody waited for a core since the answer was asked for, in percent of the time (`some` of Linux's pressure
 * stall information): what tells a quiet run from one that others disturbed. null where the kernel does not tell.
 */
export async function watchPressure(): Promise<() => Promise<number | null>> {
  const [stalledBefore, from] = [await stalledMicros(), performance.now()];
  return async () => {
    const stalled = await stalledMicros();
    if (stalled === null || stalledBefore === null) return null;
    return (stalled - stalledBefore) / 10 / (performance.now() - from);
  };
}

async function stalledMicros(): Promise<number | null> {
  const text = await readFile('/proc/pressure/cpu', 'utf8').catch(() => '');
  const total = /^some .*total=(\d+)/m.exec(text)?.[1];
  return total === undefined ? null : Number(total);
}
