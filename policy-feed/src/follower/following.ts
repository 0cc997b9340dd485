/**
 * The loop of a follower: look, take over, look again. A failure of the way there is a pause; something that is not believed
 * is told, and tried again as a whole. Nothing here ends because of what a store does.
 */
import { cursorOf, type Nack, Nacked, nackOf } from '@edgeward/policy-format';
import {
  type Backoff,
  backoff,
  type Clock,
  EdgewardError,
  type Logger,
  messageOf,
  pauseFor,
  whilePausing,
} from '@edgeward/runtime';
import { cursorIn } from '../documents.ts';
import type { News, Transport } from '../transport.ts';
import type { Seen } from './follower-status.ts';
import type { NewsWatch } from './news-watch.ts';
import { createRefusals } from './refusals.ts';
import { watchStaleness } from './staleness.ts';
import type { Takeover } from './takeover.ts';

export interface Following {
  /** Hands over what was last known. What can't be handed over is offered again later. */
  restore(): Promise<void>;
  begin(): void;
  checkSoon(): void;
  close(): Promise<void>;
}

export interface FollowingOptions {
  point: string;
  transport: Transport;
  takeover: Takeover;
  watch: NewsWatch;
  seen: Seen;
  clock: Clock;
  logger: Logger;
  random: () => number;
  pollMs: number;
  coldStartMs: number;
  /** What the first pause after a failure is drawn from: 500 ms. */
  retryMs?: number;
  /** What is to be told, where nothing is asked for that would take it along. */
  tell?: (signal: AbortSignal) => Promise<void>;
  onAnswer: () => void;
  /** Of what a report says. */
  onChange: () => void;
  onNack?: (nack: Nack) => void;
}

const BACKOFF_BASE_MS = 500;

export function openFollowing(options: FollowingOptions): Following {
  const { point, transport, takeover, watch, seen, clock, logger } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const { retryMs: baseMs = BACKOFF_BASE_MS } = options;
  const pauses: Backoff = backoff({ baseMs, maxMs: options.pollMs, random: options.random });
  // A store that shows what is held again and again would be asked as fast as it answers.
  const idle: Backoff = backoff({ baseMs: BACKOFF_BASE_MS, maxMs: options.pollMs, random: options.random });
  const refusals = createRefusals(clock, options.random);
  const staleness = watchStaleness(clock, (expiresAt) => {
    logger.warn(
      { event: 'policy_stale', point, expiresAt },
      'the store has signed nothing newer; what is in force stays',
    );
    options.onChange();
  });
  let running: Promise<void> = Promise.resolve();
  /** After anything that was not believed: no delta, the whole of it. */
  let wholly = false;

  const rest = (ms: number): Promise<void> => whilePausing(pauseFor(clock, ms), signal);

  async function look(isSettled: boolean): Promise<News> {
    const { state } = takeover.held();
    if (state !== null && isSettled && !wholly) return watch.next(cursorOf(state), signal);
    await options.tell?.(signal);
    const known = state === null || wholly ? null : cursorOf(state);
    const news = await transport.next(point, known, { waitMs: 0, signal });
    options.onAnswer();
    return news;
  }

  /** Whether anything came of it but another head for the same state. */
  async function take(news: News): Promise<boolean> {
    if (news.state === 'unchanged') return false;
    const before = takeover.held().state;
    seen.bytesReceived += news.bytes ?? 0;
    if (news.state === 'head') await takeover.head(news.head, signal);
    else await takeover.delta(news, signal);
    wholly = false;
    const { state } = takeover.held();
    if (state !== null) staleness.note(state.head);
    if (state === null || state.head.stateRoot === before?.head.stateRoot) return false;
    if (news.state === 'head') seen.snapshots += 1;
    else seen.deltas += 1;
    seen.lastChangedAtMs = clock.now();
    options.onChange();
    return true;
  }

  function fine(): void {
    if (seen.lastError !== null)
      logger.info({ event: 'store_back', point, store: transport.name }, 'the store is followed again');
    if (seen.nack !== null) options.onChange();
    seen.lastError = null;
    seen.nack = null;
    pauses.reset();
    refusals.forget();
  }

  function failed(thrown: unknown, news: News | null): void {
    const error = thrown instanceof EdgewardError ? thrown : fault(thrown);
    const isNew = seen.lastError?.code !== error.code;
    seen.lastError = { code: error.code, message: error.message, mend: error.mend };
    if (error instanceof Nacked && !AWAY.has(error.code)) {
      refused(error, news);
      return;
    }
    // What came was no answer of ours: a delta may be what can't be had.
    if (error.code === 'EDW_ERR_STORE_ANSWER') wholly = true;
    const fields = { event: 'store_not_followed', point, store: transport.name, code: error.code };
    if (isNew) logger.warn(fields, error.message);
    else logger.debug(fields, error.message);
  }

  function refused(error: Nacked, news: News | null): void {
    wholly = true;
    const document = news?.state === 'head' ? news.head : news?.state === 'delta' ? news.delta.head : null;
    if (news?.state === 'head') refusals.note(news.head);
    const revision = document === null ? takeover.held().state?.head.revision : cursorIn(document)?.revision;
    const nack = nackOf(error, revision ?? 0);
    const isNew =
      seen.nack?.revision !== nack.revision || seen.nack.stage !== nack.stage || seen.nack.code !== nack.code;
    seen.nack = nack;
    if (!isNew) return;
    logger.error({ event: 'policy_refused', point, ...nack }, error.message);
    options.onNack?.(nack);
    options.onChange();
  }

  /** Whether nothing waits to be made up for. */
  async function settle(): Promise<boolean> {
    try {
      await takeover.makeUp();
      return true;
    } catch (thrown) {
      failed(thrown, null);
      return false;
    }
  }

  async function step(): Promise<void> {
    let news: News | null = null;
    const isSettled = await settle();
    try {
      news = await look(isSettled);
      if (news.state === 'head' && refusals.isTooSoon(news.head)) return await rest(pauses.nextMs());
      const moved = await take(news);
      if (isSettled) {
        fine();
        if (!moved) return await rest(idle.nextMs());
        return idle.reset();
      }
    } catch (thrown) {
      if (signal.aborted) return;
      failed(thrown, news);
    }
    await rest(pauses.nextMs());
  }

  async function follow(): Promise<void> {
    await rest(options.random() * options.coldStartMs);
    while (!signal.aborted) await step();
  }

  return {
    async restore() {
      try {
        await takeover.restore();
      } catch (thrown) {
        failed(thrown, null);
      }
      const { state } = takeover.held();
      if (state !== null) staleness.note(state.head);
    },
    begin() {
      running = follow();
    },
    checkSoon: watch.hint,
    async close() {
      ending.abort();
      await running;
      // What was being taken over has set its time.
      staleness.end();
    },
  };
}

/** The way to what a head names, and not what is there. */
const AWAY = new Set(['EDW_ERR_STORE_UNREACHABLE', 'EDW_ERR_STORE_CERTIFICATE', 'EDW_ERR_STORE_URL']);

function fault(thrown: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_INTERNAL', `following a store: ${messageOf(thrown)}`, {
    mend: 'Please report it with the log around event store_not_followed. What is in force stays.',
    cause: thrown,
  });
}
