/**
 * Asks the service for this host's policy again and again, one question under way, and hands on what comes. Its absence is no
 * event for anybody: it is asked again, with pauses that grow to half a minute and differ from host to host.
 */
import { backoff, type Clock, EdgewardError, type Logger, messageOf, pauseFor, whilePausing } from '@edgeward/runtime';
import type { ServiceClient } from './service-client.ts';
import type { Outcome } from './take-over.ts';

export interface FollowOptions {
  /** Asked each time: a renewed identity has another. */
  client: () => ServiceClient;
  offer: (signed: Uint8Array, revision: number) => Promise<Outcome>;
  /** What the service said last of whether it has a policy for this host; an error is told once, until it is another. */
  onContact: (contact: Contact) => void;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

export type Contact = { state: 'reached' } | { state: 'away'; code: string; message: string };

const BASE_MS = 1_000;
const MAX_MS = 30_000;
/** A service that answers at once, against what it was asked, is not asked more often than this. */
const LEAST_MS = 500;
const WAITED_MS = 10_000;

/** Ends with the signal. Never rejects. */
export async function follow(options: FollowOptions): Promise<void> {
  const { clock, signal } = options;
  const pauses = backoff({ baseMs: BASE_MS, maxMs: MAX_MS });
  let etag: string | null = null;
  const wait = (ms: number): Promise<void> => whilePausing(pauseFor(clock, ms), signal);

  async function askOnce(): Promise<number> {
    const askedAtMs = performance.now();
    const answer = await options.client().policy(etag);
    options.onContact({ state: 'reached' });
    if (answer.state === 'none') {
      etag = null;
      // One that waited before it said so may be asked again at once: the first policy should not wait for us.
      return performance.now() - askedAtMs > WAITED_MS ? LEAST_MS : LEAST_MS + pauses.nextMs();
    }
    if (answer.state === 'unchanged') {
      pauses.reset();
      return LEAST_MS;
    }
    const outcome = await options.offer(answer.signed, revisionIn(answer.etag));
    etag = outcome === 'settled' ? answer.etag : null;
    if (outcome === 'again') return LEAST_MS + pauses.nextMs();
    pauses.reset();
    return LEAST_MS;
  }

  while (!signal.aborted) {
    const pauseMs = await askOnce().catch((thrown: unknown) => {
      if (!signal.aborted) options.onContact(awayOf(thrown));
      return LEAST_MS + pauses.nextMs();
    });
    if (pauseMs > 0) await wait(pauseMs);
  }
}

function awayOf(thrown: unknown): Contact {
  const code = thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL';
  return { state: 'away', code, message: messageOf(thrown) };
}

/** The service numbers its tags: `"7-0123456789abcdef"`. 0 where it does not. */
function revisionIn(etag: string | null): number {
  return Number(/^(?:W\/)?"(\d{1,15})-/.exec(etag ?? '')?.[1] ?? 0);
}
