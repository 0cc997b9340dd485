/** `edgeward …` in a process of its own that is killed with SIGKILL and started again. What waits for it asks it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Teardown } from '@edgeward/test/kit';
import { childEnvironment } from '../kit/child-environment.ts';
import { startable } from '../kit/program.ts';

export interface KillableCommand {
  start(): void;
  /** Gone when it resolves. */
  kill(): Promise<void>;
  /** Most that it ever had in memory, in bytes; 0 while it does not run. */
  peakBytes(): number;
  /** What the process that runs, or ran last, said on stderr; its end. */
  said(): string;
}

const MAIN = 'cli/src/main.ts';

/** `program`: another one in place of `edgeward`. */
export function killableCommand(t: Teardown, words: readonly string[], program: string = MAIN): KillableCommand {
  let child: ChildProcess | null = null;
  let said = '';
  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  };
  t.teardown(kill);
  return {
    kill,
    said: () => said,
    start() {
      said = '';
      const args = ['--conditions=edgeward-source', '--no-warnings', startable(program), ...words];
      child = spawn(process.execPath, args, { env: childEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-4_000);
      });
    },
    peakBytes() {
      if (child === null) return 0;
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
    },
  };
}
