/** The generator of requests as its parent has it, and the worker that it keeps busy, each on a core of its own. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Edge } from '../kit/index.ts';
import type { Bench } from './benchmark.ts';
import { startFleetProcess } from './fleet-processes.ts';
import type { Said, Sliced, SliceTold, Told } from './nginx-generator.ts';

export interface Load {
  readonly pid: number;
  /** Lists of sources by name, in place of those that were there. */
  sources(lists: Record<string, string[]>): Promise<void>;
  slice(of: Omit<SliceTold, 'is'>): Promise<Sliced>;
  /** Asks until it is told to stop. */
  start(of: Omit<SliceTold, 'is' | 'ms'>): { stop(): Promise<Sliced> };
}

export function startLoad(bench: Bench): Load {
  const child = startFleetProcess<Said, Told>(bench, './nginx-generator.ts', []);
  const sliced = async (told: SliceTold): Promise<Sliced> => {
    const answer = child.next('sliced');
    child.tell(told);
    return answer;
  };
  return {
    pid: child.pid,
    async sources(lists) {
      const ready = child.next('ready');
      child.tell({ is: 'sources', sources: lists });
      await ready;
    },
    slice: (of) => sliced({ is: 'slice', ...of }),
    start(of) {
      const result = sliced({ is: 'slice', ...of });
      result.catch(() => {});
      return {
        stop: () => {
          child.tell({ is: 'stop' });
          return result;
        },
      };
    },
  };
}

/**
 * The worker on one core, whoever asks on another: else what asks takes the core from the worker at every answer, which cost
 * fast handlers half a microsecond a request and slow ones two (measured).
 */
export async function onOwnCores(worker: number, others: readonly number[]): Promise<void> {
  if (availableParallelism() < 2) return;
  const pin = (core: number, pid: number) => promisify(execFile)('taskset', ['-acp', String(core), String(pid)]);
  await Promise.all([pin(0, worker), ...others.map((pid) => pin(1, pid))]);
}

/** The only worker; waits for those of an earlier configuration to be gone. */
export async function workerPid(edge: Edge): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const [worker, ...others] = await workerPids(edge);
    if (worker !== undefined && others.length === 0) return worker;
    await sleep(100);
  }
  throw new Error('NGINX keeps more than one worker');
}

/** All children of the master, those of an earlier configuration included. */
export async function workerPids(edge: Edge): Promise<number[]> {
  const master = (await readFile(join(edge.paths.folder, 'nginx.pid'), 'utf8')).trim();
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8');
  return children.trim().split(' ').filter(Boolean).map(Number);
}

/** Time on a CPU, of the worker's only thread: the first field of schedstat, in nanoseconds. */
export async function cpuMicros(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1000;
}
