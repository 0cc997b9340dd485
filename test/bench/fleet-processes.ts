/** Processes of a fleet, seen by their parent: what they say, their memory, the processor time that they took, their end. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Bench } from './benchmark.ts';

export interface FleetProcess<From extends { is: string }, To> {
  readonly pid: number;
  tell(message: To): void;
  /** The next message of this kind; 10 minutes at most. */
  next<K extends From['is']>(kind: K): Promise<Extract<From, { is: K }>>;
  on(listen: (message: From) => void): void;
  memory(): Promise<Memory>;
  /** Seconds of processor time since the start. */
  processorSeconds(): Promise<number>;
  stop(): Promise<void>;
}

export interface Memory {
  residentBytes: number;
  peakBytes: number;
}

const patienceMs = 600_000;
const TICKS_PER_SECOND = 100;

/** `EDGEWARD_BENCH_NODE` has further arguments of its Node, such as those of a profile. */
export function startFleetProcess<From extends { is: string }, To>(
  bench: Bench,
  module: string,
  args: string[],
  environment: Record<string, string> = {},
): FleetProcess<From, To> {
  const own = (process.env.EDGEWARD_BENCH_NODE ?? '').split(' ').filter((argument) => argument !== '');
  const path = fileURLToPath(new URL(module, import.meta.url));
  const execArgv = ['--conditions=edgeward-source', '--expose-gc', ...own];
  const running = fork(path, args, {
    execArgv,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const listeners = new Set<(message: From) => void>();
  running.on('message', (message) => {
    for (const listen of [...listeners]) listen(message as From);
  });
  const pid = running.pid ?? 0;
  const stop = (): Promise<void> => end(running);
  bench.teardown(stop);
  return {
    pid,
    tell: (message) => void running.send(message as object),
    on: (listen) => void listeners.add(listen),
    next: (kind) => nextMessage(running, listeners, kind, module),
    memory: async () => memoryIn(await readFile(`/proc/${pid}/status`, 'utf8')),
    processorSeconds: async () => processorSecondsIn(await readFile(`/proc/${pid}/stat`, 'utf8')),
    stop,
  };
}

function nextMessage<From extends { is: string }, K extends From['is']>(
  running: ChildProcess,
  listeners: Set<(message: From) => void>,
  kind: K,
  name: string,
): Promise<Extract<From, { is: K }>> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      listeners.delete(listen);
      running.off('exit', ended);
    };
    const listen = (message: From): void => {
      if (message.is !== kind) return;
      done();
      resolve(message as Extract<From, { is: K }>);
    };
    const ended = (code: number | null): void => {
      done();
      reject(new Error(`${name} ended with ${code} before it said '${kind}'`));
    };
    const timer = setTimeout(() => {
      done();
      reject(new Error(`${name} did not say '${kind}'`));
    }, patienceMs);
    listeners.add(listen);
    running.once('exit', ended);
  });
}

function memoryIn(status: string): Memory {
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { residentBytes: of('VmRSS'), peakBytes: of('VmHWM') };
}

/** proc(5): fields 14 and 15, counted after the name in parentheses. */
function processorSecondsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function end(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  if (running.connected) running.disconnect();
  const late = setTimeout(() => running.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(late);
}
