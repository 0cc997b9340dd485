/**
 * Asks the service for this host's policy again and again, one question under way, and hands on what comes. Its absence is no
 * event for anybody: it is asked again, with pauses that grow to half a minute and differ from host to host. The first question,
 * and the first after an absence, is one that is answered at once: that the service is there is known when it is, and not when
 * it has something new.
 */
import { backoff, type Clock, EdgewardError, type Logger, messageOf, pauseFor, whilePausing } from '@edgeward/runtime';
import { createOffering } from './offering.ts';
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
  const offering = createOffering({ offer: options.offer, clock, signal });
  let etag: string | null = null;
  /** Who asked for what that tag names. */
  let asking: ServiceClient | null = null;
  /** The service answered when it was asked last. */
  let isThere = false;
  const wait = (ms: number): Promise<void> => whilePausing(pauseFor(clock, ms), signal);

  async function askOnce(): Promise<number> {
    const mayWait = isThere;
    let waited = false;
    const cancel = clock.after(WAITED_MS, () => {
      waited = true;
    });
    const client = options.client();
    // What was refused for its signature a renewed identity may believe; what is in force already changes nothing.
    if (client !== asking) etag = null;
    asking = client;
    const answer = await client.policy(etag, { wait: mayWait }).finally(cancel);
    isThere = true;
    options.onContact({ state: 'reached' });
    // One that waited before it said so, or was not to wait, may be asked again at once: the first policy should not wait for us.
    // What was here before is here still: a service that has only begun says so too, and the same need not come again.
    if (answer.state === 'none') return waited || !mayWait ? LEAST_MS : LEAST_MS + pauses.nextMs();
    if (answer.state === 'unchanged') return heard(mayWait);
    // Whatever comes of it, it is here now, and only what is newer is asked for.
    ({ etag } = answer);
    await offering.take(answer.signed, revisionIn(etag));
    return etag === null ? LEAST_MS + pauses.nextMs() : heard(mayWait);
  }

  /** Of a service that answers only what it need not wait for, the pauses go on growing. */
  function heard(mayWait: boolean): number {
    if (mayWait) pauses.reset();
    return LEAST_MS;
  }

  while (!signal.aborted) {
    const pauseMs = await askOnce().catch((thrown: unknown) => {
      isThere = false;
      if (!signal.aborted) options.onContact(awayOf(thrown));
      return LEAST_MS + pauses.nextMs();
    });
    if (pauseMs > 0) await wait(pauseMs);
  }
  await offering.over();
}

function awayOf(thrown: unknown): Contact {
  const code = thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL';
  return { state: 'away', code, message: messageOf(thrown) };
}

/** The service numbers its tags: `"7-0123456789abcdef"`. 0 where it does not. */
function revisionIn(etag: string | null): number {
  return Number(/^(?:W\/)?"(\d{1,15})-/.exec(etag ?? '')?.[1] ?? 0);
}
