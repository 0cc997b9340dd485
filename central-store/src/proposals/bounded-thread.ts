/**
 * One recomputation in a thread of this process, in bounded time and memory. The heap of a thread can be bounded without an
 * end of the process, and somebody is there to look at what stands outside it.
 */
import { Worker } from 'node:worker_threads';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { PolicyAnswer } from './policy-process.ts';
import type { Recomputation } from './recomputation.ts';
import { thrownFrom } from './thrown-text.ts';

export interface ThreadLimits {
  /** Of one, from its turn on. */
  timeMs: number;
  heapMegabytes: number;
  /** The heap, and sets of workloads, which stand outside it: a bit for each group and workload. */
  memoryMegabytes: number;
  /** From one look at its memory to the next. */
  lookMs: number;
}

/** The answer of `recompute`. Throws what it throws, and EDW_ERR_PROPOSAL_POLICY where it needs too much. `program`: what the thread runs. */
export async function inThread(
  program: URL,
  recomputation: Recomputation,
  limits: ThreadLimits,
): Promise<Uint8Array | null> {
  const { timeMs, heapMegabytes, memoryMegabytes, lookMs } = limits;
  const worker = new Worker(program, {
    name: 'recomputation',
    workerData: recomputation,
    transferList: buffersOf(recomputation),
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  let answer: PolicyAnswer | null = null;
  let failure: unknown = null;
  let stopped: string | null = null;
  const stop = (why: string): void => {
    stopped ??= why;
    void worker.terminate();
  };
  const timer = setTimeout(() => stop(`it takes longer than ${timeMs / 1000} s`), timeMs);
  let isLooking = false;
  const look = setInterval(async () => {
    // A thread that is busy answers late: nobody asks it twice at once.
    if (isLooking) return;
    isLooking = true;
    const used = await usedMegabytes(worker);
    isLooking = false;
    if (used > memoryMegabytes) stop(`it needs more than ${memoryMegabytes} MB of memory`);
  }, lookMs);
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.once('message', (told: PolicyAnswer) => {
    answer = told;
  });
  worker.once('error', (thrown) => {
    failure = thrown;
  });
  await ended;
  clearTimeout(timer);
  clearInterval(look);
  if (answer !== null) return told(answer);
  const { version } = recomputation.payload;
  if (stopped !== null) throw tooLarge(version, stopped, failure);
  if (isOutOfMemory(failure)) throw tooLarge(version, `it needs more than ${heapMegabytes} MB of memory`, failure);
  throw new Error(`computing version ${version} again: the thread ended: ${messageOf(failure)}`, { cause: failure });
}

/** Nothing of one that has ended meanwhile. */
async function usedMegabytes(worker: Worker): Promise<number> {
  const found = await worker.getHeapStatistics().catch(() => null);
  return found === null ? 0 : (found.used_heap_size + found.external_memory) / (1024 * 1024);
}

function buffersOf({ documents, previous, inventory }: Recomputation): ArrayBuffer[] {
  const before = previous === null ? [] : [previous.approved];
  // What came in one message may stand in one buffer.
  return [...new Set([documents, ...before, ...(inventory ?? [])].map(({ buffer }) => buffer))];
}

function told({ thrown, lines }: PolicyAnswer): Uint8Array | null {
  if (thrown !== '') throw thrownFrom(thrown);
  return lines;
}

function isOutOfMemory(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function tooLarge(version: number, why: string, cause: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_PROPOSAL_POLICY', `computing version ${version} again: ${why}`, {
    mend: 'Propose fewer points, rules or workloads in one version; those of another site can have a store of their own.',
    ...(cause === null ? {} : { cause }),
  });
}
