/**
 * The policy that came last, offered until it is settled: from memory, and never fetched again for that, with pauses that grow to
 * half a minute. One at a time; the next one takes its place, and what was replaced is not offered any more.
 */
import { backoff, type Clock, type Pause, pauseFor, whilePausing } from '@edgeward/runtime';
import type { Outcome } from './take-over.ts';

export interface Offering {
  /** Resolves when it was offered once. */
  take(signed: Uint8Array, revision: number): Promise<void>;
  /** After the signal: nothing is under way any more. */
  over(): Promise<void>;
}

export interface OfferingOptions {
  /** Must not reject. */
  offer: (signed: Uint8Array, revision: number) => Promise<Outcome>;
  clock: Clock;
  signal: AbortSignal;
}

const LEAST_MS = 500;
const BASE_MS = 1_000;
const MAX_MS = 30_000;

export function createOffering({ offer, clock, signal }: OfferingOptions): Offering {
  /** Ends the pause before the one that is offered again. */
  let replace = (): void => {};
  let again: Promise<void> = Promise.resolve();

  async function offerAgain(signed: Uint8Array, revision: number): Promise<void> {
    const pauses = backoff({ baseMs: BASE_MS, maxMs: MAX_MS });
    const state: { isNewest: boolean; pause: Pause | null } = { isNewest: true, pause: null };
    replace = () => {
      state.isNewest = false;
      state.pause?.end();
    };
    while (!signal.aborted && state.isNewest) {
      state.pause = pauseFor(clock, LEAST_MS + pauses.nextMs());
      await whilePausing(state.pause, signal);
      if (signal.aborted || !state.isNewest || (await offer(signed, revision)) === 'settled') return;
    }
  }

  return {
    async take(signed, revision) {
      replace();
      await again;
      if (signal.aborted) return;
      if ((await offer(signed, revision)) === 'again') again = offerAgain(signed, revision);
    },
    over: () => again,
  };
}
