/** A BIG-IP driver that runs in a process of its own, seen from outside: what an apply sent, and its memory. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BigipPointOptions } from '@edgeward/f5-irules';
import type { Bench } from './benchmark.ts';
import { type PolicyOrder, policyOf } from './bigip-policies.ts';
import { writePolicyFile } from './bigip-policy-file.ts';

export type Access = Pick<BigipPointOptions, 'name' | 'urls' | 'user' | 'passwordFile' | 'ca'>;

export interface DriverOrder {
  /** As `writePolicyFile` made it. */
  policyFile: string;
}

export type DriverAnswer =
  | { state: 'ready' }
  | { state: 'applied'; writes: number; bytes: number }
  | { state: 'failed'; words: string };

export interface DriverProcess {
  /** What the driver itself says that it sent. */
  apply(policy: PolicyOrder): Promise<{ writes: number; bytes: number }>;
  /** Peak resident memory since the start, in bytes (VmHWM of proc(5)). */
  peakBytes(): Promise<number>;
  stop(): Promise<void>;
}

const child = fileURLToPath(new URL('./bigip-driver-child.ts', import.meta.url));
const patienceMs = 120_000;

/** `nodeArguments`: further ones of its Node; `EDGEWARD_BENCH_NODE` adds to them, to see where time or memory goes. */
export async function startDriverProcess(
  bench: Bench,
  access: Access,
  nodeArguments: readonly string[] = [],
): Promise<DriverProcess> {
  const asked = (process.env.EDGEWARD_BENCH_NODE ?? '').split(' ').filter((argument) => argument !== '');
  const execArgv = ['--conditions=edgeward-source', ...nodeArguments, ...asked];
  const running = fork(child, [JSON.stringify(access)], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const stop = (): Promise<void> => end(running);
  bench.teardown(stop);
  await nextAnswer(running);
  return {
    stop,
    async apply(policy) {
      // Made here and read there: what making it costs is not the driver's.
      const policyFile = join(dirname(access.passwordFile), 'policy.json');
      await writePolicyFile(policyFile, policyOf(policy));
      const answered = nextAnswer(running);
      running.send({ policyFile } satisfies DriverOrder);
      const answer = await answered;
      if (answer.state === 'applied') return answer;
      throw new Error(`the driver did not apply: ${answer.state === 'failed' ? answer.words : answer.state}`);
    },
    async peakBytes() {
      const status = await readFile(`/proc/${running.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
    },
  };
}

function nextAnswer(running: ChildProcess): Promise<DriverAnswer> {
  return new Promise((resolve, reject) => {
    const settle = (run: () => void): void => {
      clearTimeout(late);
      running.off('message', take).off('exit', fail);
      run();
    };
    const take = (answer: unknown): void => settle(() => resolve(answer as DriverAnswer));
    const fail = (): void => settle(() => reject(new Error('the driver process ended')));
    const late = setTimeout(() => settle(() => reject(new Error(`no answer within ${patienceMs} ms`))), patienceMs);
    running.on('message', take).on('exit', fail);
  });
}

async function end(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  if (running.connected) running.disconnect();
  const late = setTimeout(() => running.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(late);
}
