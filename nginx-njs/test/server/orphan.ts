/** A parent that has started an NGINX, and the ways in which it ends without a word to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { NginxBinary } from '../../driver/server/index.ts';

const program = fileURLToPath(new URL('orphan-parent.ts', import.meta.url));

export const orphanEnds: readonly { name: string; end: (parent: ChildProcess) => void }[] = [
  { name: 'SIGKILL', end: (parent) => parent.kill('SIGKILL') },
  { name: 'SIGTERM', end: (parent) => parent.kill('SIGTERM') },
  { name: 'SIGINT to its whole group, as Ctrl-C does', end: (parent) => process.kill(-Number(parent.pid), 'SIGINT') },
  { name: 'process.exit', end: (parent) => parent.stdin?.write('end\n') },
];

export interface Orphan {
  readonly parent: ChildProcess;
  readonly gone: Promise<unknown>;
  /** As `RunningNginx.pid`. */
  readonly master: number;
  /** Both of them, where they run on this machine. */
  readonly workers: readonly number[];
}

export async function startOrphan(
  t: Test,
  of: { binary: NginxBinary; prefix: string; configFile: string },
): Promise<Orphan> {
  const words = ['--conditions=edgeward-source', program, JSON.stringify(of.binary), of.prefix, of.configFile];
  const parent = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  t.teardown(() => parent.kill('SIGKILL'));
  const gone = once(parent, 'exit');
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const { master, workers } = JSON.parse(line.toString()) as { master: number; workers: number[] };
  return { parent, gone, master, workers };
}
