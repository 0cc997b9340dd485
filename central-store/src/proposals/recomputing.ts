/**
 * Where proposed policy is computed again. A large one takes many seconds and a gigabyte: it has a thread of its own, so that
 * points are answered meanwhile, and what it took is given back when the thread ends. One at a time, in bounded time and
 * memory; what needs more is refused, and the store goes on. A small one is computed at once, where it stands.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { type Asked, gathered } from './basis.ts';
import { type Recomputation, recompute } from './recomputation.ts';
import { thrownFrom } from './thrown-text.ts';

export interface Recomputing {
  /** Throws what `recompute` throws, EDW_ERR_PROPOSAL_POLICY where it needs too much, EDW_ERR_STORE_RATE. */
  run(asked: Asked): Promise<void>;
}

export interface RecomputingLimits {
  /** All bytes that go in; above it, it has a thread. Starting one takes as long as computing a few hundred kB. */
  inPlaceBytes: number;
  /** How many may wait for their turn; break-glass counts among break-glass alone. */
  waiting: number;
  /** Of one, from its turn on. */
  timeMs: number;
  heapMegabytes: number;
  /** The heap, and sets of workloads, which stand outside it: a bit for each group and workload. */
  memoryMegabytes: number;
  /** From one look at its memory to the next. */
  lookMs: number;
}

const RECOMPUTING_LIMITS: RecomputingLimits = {
  inPlaceBytes: 256 * 1024,
  waiting: 8,
  timeMs: 5 * 60_000,
  heapMegabytes: 2_048,
  memoryMegabytes: 3_072,
  lookMs: 250,
};

interface Waiting {
  isGlass: boolean;
  begin(): void;
}

export function createRecomputing(given: Partial<RecomputingLimits> = {}): Recomputing {
  const limits = { ...RECOMPUTING_LIMITS, ...given };
  const waiting: Waiting[] = [];
  let isBusy = false;

  /** In an emergency nobody waits for what is not urgent. */
  function turn(isGlass: boolean): Promise<void> {
    if (!isBusy) {
      isBusy = true;
      return Promise.resolve();
    }
    const before = waiting.filter((it) => !isGlass || it.isGlass).length;
    if (before >= limits.waiting) throw full(before);
    return new Promise((begin) => {
      const at = isGlass ? waiting.findIndex((it) => !it.isGlass) : -1;
      waiting.splice(at < 0 ? waiting.length : at, 0, { isGlass, begin });
    });
  }

  function over(): void {
    const next = waiting.shift();
    if (next === undefined) isBusy = false;
    else next.begin();
  }

  return {
    async run(asked) {
      const small = await gathered(asked, limits.inPlaceBytes);
      if (small !== null) return recompute(small);
      await turn(asked.payload.breakGlass !== null);
      try {
        // Not before its turn: what waits holds nothing but what was sent.
        const recomputation = await gathered(asked, Number.POSITIVE_INFINITY);
        if (recomputation !== null) await inThread(recomputation, limits);
      } finally {
        over();
      }
    },
  };
}

/** From source as well as built. Flags of the process, such as its conditions, hold for its threads too. */
const THREAD = new URL(`./recomputation-thread${extname(import.meta.url)}`, import.meta.url);

/** Settles when the thread has ended: its memory is free before the next one begins. */
async function inThread(recomputation: Recomputation, limits: RecomputingLimits): Promise<void> {
  const { timeMs, heapMegabytes, memoryMegabytes, lookMs } = limits;
  const worker = new Worker(THREAD, {
    name: 'recomputation',
    workerData: recomputation,
    transferList: buffersOf(recomputation),
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  let answer: string | null = null;
  let failure: unknown = null;
  let stopped: string | null = null;
  const stop = (why: string): void => {
    stopped ??= why;
    void worker.terminate();
  };
  const timer = setTimeout(() => stop(`it takes longer than ${timeMs / 1000} s`), timeMs);
  const look = setInterval(async () => {
    const used = await usedMegabytes(worker);
    if (used > memoryMegabytes) stop(`it needs more than ${memoryMegabytes} MB of memory`);
  }, lookMs);
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.once('message', (text: string) => {
    answer = text;
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
  return [documents, ...before, ...(inventory ?? [])].map(({ buffer }) => buffer);
}

function told(answer: string): void {
  if (answer !== '') throw thrownFrom(answer);
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

function full(before: number): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_RATE', `proposing policy: ${before} others wait to be computed again`, {
    mend: 'Propose it again in a minute.',
  });
}
