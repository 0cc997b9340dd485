/** A store in a process of its own that is killed with SIGKILL and started again, as an init system would. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Teardown } from '@edgeward/test/kit';
import { childEnvironment } from '../../kit/child-environment.ts';
import { startable } from '../../kit/program.ts';
import type { PublishedLine } from './store-process.ts';

export interface KillableStore {
  /** Resolves when it serves. Throws what it said last where it ended by itself. */
  start(): Promise<void>;
  /** Until one start succeeds: a disk may still be full. */
  keepStarting(): Promise<void>;
  kill(): Promise<void>;
}

export interface KillableStoreOptions {
  configFile: string;
  /** What lies in the mirror was published, or is about to be. */
  beforeStart: () => Promise<void>;
  onPublished: (line: PublishedLine) => void;
}

const START_MS = 30_000;
const RESTART_MS = 500;
const ATTEMPTS = 60;

export function killableStore(t: Teardown, options: KillableStoreOptions): KillableStore {
  let running: ChildProcess | null = null;

  async function kill(): Promise<void> {
    const child = running;
    running = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async function start(): Promise<void> {
    await options.beforeStart();
    const child = fork(startable(join(import.meta.dirname, 'store-process.ts')), [options.configFile], {
      execArgv: ['--conditions=edgeward-source', '--no-warnings'],
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    running = child;
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', take);
    const signal = AbortSignal.timeout(START_MS);
    const failed = once(child, 'exit', { signal }).then(() => {
      throw new Error(`the store ended by itself: ${said}`);
    });
    await Promise.race([once(child, 'message', { signal }), failed]);
    failed.catch(() => {});
  }

  function take(line: string): void {
    // A line that a kill cut short is of a head that nobody was served.
    if (line.endsWith('}')) options.onPublished(JSON.parse(line) as PublishedLine);
  }

  t.teardown(kill);
  return {
    start,
    kill,
    async keepStarting() {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await start();
        } catch (thrown) {
          await kill();
          if (attempt === ATTEMPTS) throw thrown;
          await sleep(RESTART_MS);
        }
      }
    },
  };
}
