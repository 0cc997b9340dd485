/** A server that is away at the start is asked again and again, for as long as nobody gives up. */
import { setTimeout } from 'node:timers/promises';
import { backoff } from '@edgeward/runtime';
import { isLost } from './postgres-error.ts';

export interface Opening {
  /** The first try. Resolves also where the server is away; rejects where it refuses. */
  first: Promise<void>;
  /** Resolves when a try was answered; rejects at the end. */
  done: Promise<void>;
  end(): void;
}

export function openedBy(open: () => Promise<void>): Opening {
  const ending = new AbortController();
  const first = open();
  const done = first.catch(async (thrown: unknown) => {
    if (!isLost(thrown)) throw thrown;
    await untilOpened(open, ending.signal);
  });
  // Nobody need wait for it.
  done.catch(() => {});
  return {
    first: first.catch((thrown: unknown) => {
      if (!isLost(thrown)) throw thrown;
    }),
    done,
    end: () => ending.abort(),
  };
}

async function untilOpened(open: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const retry = backoff({ baseMs: 250, maxMs: 10_000 });
  for (;;) {
    await setTimeout(retry.nextMs(), null, { ref: false, signal });
    try {
      return await open();
    } catch (thrown) {
      // Also one that refuses now: it is told to whoever asks, and a password can be put right.
      if (signal.aborted) throw thrown;
    }
  }
}
