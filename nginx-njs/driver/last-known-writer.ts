import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import type { Layout } from './entries.ts';
import { lengthToWrite, writeLastKnown } from './last-known-file.ts';

/**
 * When the last-known file is written. A small one before a push is told to be done, so that it never lies behind. A
 * large one takes longer than a push of few addresses does: it follows at once, at most every two seconds, always with
 * what is newest. Until then NGINX would come back with what it had shortly before, and be pushed to as after any start.
 */
export interface LastKnownWriter {
  /** Rejects where a small one could not be written; a large one is `failed`. */
  keep(policy: CompiledPolicy, layout: Layout): Promise<void>;
  /** Writes at once what waits. */
  settle(): Promise<void>;
}

const SMALL = 262_144;
const PAUSE_MS = 2000;

export function createLastKnownWriter(file: string, failed: (cause: unknown) => void): LastKnownWriter {
  let waiting: [CompiledPolicy, Layout] | null = null;
  let running: Promise<void> | null = null;
  let pause = new AbortController();

  async function write(): Promise<void> {
    try {
      while (waiting !== null) {
        const [policy, layout] = waiting;
        waiting = null;
        await writeLastKnown(file, policy, layout);
        await sleep(isSmall(layout) ? 0 : PAUSE_MS, null, { signal: pause.signal, ref: false }).catch(() => {});
      }
    } finally {
      running = null;
    }
  }

  /** Without another pause until everything is written. */
  async function settle(): Promise<void> {
    pause.abort();
    try {
      await running;
    } finally {
      pause = new AbortController();
    }
  }

  return {
    async keep(policy, layout) {
      waiting = [policy, layout];
      running ??= write();
      if (isSmall(layout)) await settle();
      else running.catch(failed);
    },
    settle: () => settle().catch(() => {}),
  };
}

/** One that is too large to hold the policy holds its modes alone, and is small again. */
function isSmall(layout: Layout): boolean {
  return lengthToWrite(layout) <= SMALL;
}
