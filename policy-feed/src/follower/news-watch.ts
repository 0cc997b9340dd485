/**
 * Waiting for news of one point. A poll with jitter runs beside whatever else there is, always: watches and long polls were
 * seen to hang without a word. A hint brings the next poll forward, and is never more than that.
 */
import { type Cursor, formatCursor } from '@edgeward/policy-format';
import { backoff, type Clock, type Pause, pauseFor, whilePausing } from '@edgeward/runtime';
import type { News, Transport } from '../transport.ts';
import { jittered } from './jitter.ts';

export interface NewsWatchOptions {
  point: string;
  transport: Transport;
  clock: Clock;
  pollMs: number;
  /** 0: polls and hints alone. */
  longPollMs: number;
  random: () => number;
  /** A store has answered, whatever it was. */
  onAnswer: () => void;
}

export interface NewsWatch {
  /** What is newer than `known`, whenever that may be. Throws what a transport throws, and when `signal` ends it. */
  next(known: Cursor, signal: AbortSignal): Promise<Exclude<News, { state: 'unchanged' }>>;
  /** Asked at once, or with the next call of `next`. */
  hint(): void;
}

/** A long poll that comes back sooner with nothing does not wait: asked again at once it would be asked for ever. */
const QUICK_MS = 1_000;
/** How long a long poll from what was held before is given to end: there is something newer, so it is answered. */
const LEFTOVER_MS = 2_000;
/** Between two polls, however many hints there are; and what the polls of many that were hinted together are spread over. */
const HINT_GAP_MS = 200;
const RETRY_BASE_MS = 500;

/**
 * What is asked is answered, also when another way was quicker: a request that is given up takes its connection with it, and
 * of all that a thousand points do at the moment of a change nothing costs a store more than their handshakes.
 */
interface Asking {
  /** Another way was quicker, or the whole is ended: nothing is asked any more. */
  over: AbortSignal;
  /** The whole is ended: what was asked is given up. */
  signal: AbortSignal;
}

/** A long poll that has not been answered. */
interface Waiting {
  known: Cursor;
  /** Null where it failed. */
  news: Promise<News | null>;
  /** It is from something that is not held any more: settles when it has ended, or was given up. */
  leftover(): Promise<void>;
}

export function createNewsWatch(options: NewsWatchOptions): NewsWatch {
  const { point, transport, clock, random } = options;
  let hinted = false;
  let pause: Pause | null = null;
  let waiting: Waiting | null = null;

  async function rest(resting: Pause, signal: AbortSignal): Promise<void> {
    await whilePausing(resting, signal);
    signal.throwIfAborted();
  }

  /** Until the next poll is due, by its own time or by a hint. */
  async function untilDue(signal: AbortSignal): Promise<void> {
    if (!hinted) {
      pause = pauseFor(clock, jittered(options.pollMs, random));
      await rest(pause, signal);
    }
    if (hinted) await rest(pauseFor(clock, HINT_GAP_MS * random()), signal);
    hinted = false;
  }

  async function ask(known: Cursor, waitMs: number, signal: AbortSignal): Promise<News> {
    const news = await transport.next(point, known, { waitMs, signal });
    options.onAnswer();
    return news;
  }

  async function polls(known: Cursor, { over, signal }: Asking): Promise<News> {
    for (;;) {
      await untilDue(over);
      const news = await ask(known, 0, signal);
      if (news.state !== 'unchanged') return news;
    }
  }

  /** Never throws but for the signal: whether the store is away is for the polls to say. */
  async function longPolls(known: Cursor, asking: Asking): Promise<News> {
    const { over } = asking;
    const pauses = backoff({ baseMs: RETRY_BASE_MS, maxMs: options.pollMs, random });
    for (;;) {
      const askedAtMs = clock.now();
      const news = await longPoll(known, asking);
      over.throwIfAborted();
      if (news !== null && news.state !== 'unchanged') return news;
      const waited = news !== null && clock.now() - askedAtMs >= QUICK_MS;
      if (waited) pauses.reset();
      else await rest(pauseFor(clock, pauses.nextMs()), over);
    }
  }

  async function longPoll(known: Cursor, { over, signal }: Asking): Promise<News | null> {
    if (waiting !== null && formatCursor(waiting.known) !== formatCursor(known)) await waiting.leftover();
    over.throwIfAborted();
    const own = waiting ?? wait(known, signal);
    return await own.news;
  }

  function wait(known: Cursor, signal: AbortSignal): Waiting {
    const ending = new AbortController();
    const own: Waiting = {
      known,
      news: ask(known, options.longPollMs, AbortSignal.any([signal, ending.signal]))
        .catch(() => null)
        .finally(() => {
          if (waiting === own) waiting = null;
        }),
      async leftover() {
        const patience = pauseFor(clock, LEFTOVER_MS);
        await Promise.race([own.news, whilePausing(patience, signal)]);
        patience.end();
        ending.abort();
        await own.news;
      },
    };
    waiting = own;
    return own;
  }

  return {
    async next(known, signal) {
      const ending = new AbortController();
      const end = (): void => ending.abort(signal.reason);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      const asking = { over: ending.signal, signal };
      try {
        const ways = [polls(known, asking)];
        if (transport.waits === true && options.longPollMs > 0) ways.push(longPolls(known, asking));
        for (const way of ways) way.catch(() => {}); // The slower one is ended, and says so to nobody.
        const news = await Promise.race(ways);
        if (news.state === 'unchanged') throw new Error('a way gave no news'); // Neither does.
        return news;
      } finally {
        signal.removeEventListener('abort', end);
        ending.abort();
      }
    },
    hint() {
      if (hinted) return;
      hinted = true;
      pause?.end();
    },
  };
}
