/**
 * Where proposed policy is computed again. A large one takes many seconds and a gigabyte: it has a process of its own. One at
 * a time, in bounded time and memory; what needs more is refused, and the store goes on. A small one is computed at once,
 * where it stands.
 */
import { EdgewardError } from '@edgeward/runtime';
import { type Asked, gathered } from './basis.ts';
import type { ThreadLimits } from './bounded-thread.ts';
import { inProcess } from './policy-process.ts';
import { recompute } from './recomputation.ts';

export interface Recomputing {
  /**
   * The answer: what `recompute` answers; null of a small one, which is sliced again in no time. Throws what `recompute`
   * throws, EDW_ERR_PROPOSAL_POLICY where it needs too much, EDW_ERR_STORE_RATE.
   */
  run(asked: Asked): Promise<Uint8Array | null>;
}

export interface RecomputingLimits extends ThreadLimits {
  /** All bytes that go in; above it, it has a process. Starting one takes as long as computing a few hundred kB. */
  inPlaceBytes: number;
  /** How many may wait for their turn; break-glass counts among break-glass alone. */
  waiting: number;
}

const RECOMPUTING_LIMITS: RecomputingLimits = {
  inPlaceBytes: 256 * 1024,
  waiting: 8,
  timeMs: 5 * 60_000,
  heapMegabytes: 2_048,
  memoryMegabytes: 3_072,
  lookMs: 250,
};

/** Most versions take seconds, the largest some minutes: whoever comes again then very likely finds a place. */
const AGAIN_MS = 60_000;

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
      if (small !== null) {
        recompute(small);
        return null;
      }
      await turn(asked.payload.breakGlass !== null);
      try {
        // Not before its turn: what waits holds nothing but what was sent.
        const recomputation = await gathered(asked, Number.POSITIVE_INFINITY);
        const what = `computing version ${asked.payload.version} again`;
        return recomputation === null ? null : await inProcess(what, { do: 'recompute', recomputation, limits });
      } finally {
        over();
      }
    },
  };
}

function full(before: number): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_RATE', `proposing policy: ${before} others wait to be computed again`, {
    mend: 'Propose it again in a minute.',
    retryAfterMs: AGAIN_MS,
  });
}
