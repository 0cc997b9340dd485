/**
 * One point's talk with its store on one connection: a question that waits, its answer, the next question. It is the poll, the
 * long poll and the report in one, so a point that is well holds one connection, and whoever is told a change says on the same
 * way what became of it. A question that is not answered in time is one on a dead connection: the next one waits for nothing.
 */
import type { SignedHead } from '@edgeward/policy-format';
import {
  type Backoff,
  backoff,
  type Clock,
  type Logger,
  messageOf,
  type Pause,
  pauseFor,
  systemCodeOf,
  whilePausing,
} from '@edgeward/runtime';
import type { Answered, Transport } from '../transport.ts';
import type { NewsWatch } from './news-watch.ts';
import type { ReportDesk } from './report-desk.ts';

export interface Conversation extends NewsWatch {
  /** Tells what there is to tell by itself: where no question is asked for now. Never throws but for the signal. */
  tell(signal: AbortSignal): Promise<void>;
}

export interface ConversationOptions {
  point: string;
  transport: Transport & Required<Pick<Transport, 'question'>>;
  desk: ReportDesk;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** How old what is known may be: a question waits for less, so that there is time to see that its connection is dead. */
  pollMs: number;
  /** What was taken over; asked for only where there is something. */
  held: () => SignedHead;
  onAnswer: () => void;
}

/**
 * Of the time between two polls: 65 to 85 hundredths. Many that began together do not go on together; and by default a dead
 * connection is seen, and another one asks, within 15 s of the question.
 */
const WAIT = { least: 0.65, more: 0.2 };
/** While the point is on its way to what it was given, questions wait for so long, twice as long each time. */
const MOVING_MS = 400;
/** Those of a store that ended come back within this time, and then within twice of it: each needs a handshake. */
export const SPREAD_MS = 1_500;

export function createConversation(options: ConversationOptions): Conversation {
  const { point, transport, desk, clock, random, pollMs } = options;
  const pauses: Backoff = backoff({ baseMs: Math.min(SPREAD_MS, pollMs), maxMs: pollMs, random });
  let pause: Pause | null = null;
  let movingMs = MOVING_MS;
  /** Nothing is known of the connection: it answers at once, or not at all. */
  let isUnsure = false;

  function waitMs(): number {
    if (isUnsure) return 0;
    const wholeMs = Math.round(pollMs * (WAIT.least + WAIT.more * random()));
    if (!desk.isMoving()) {
      movingMs = MOVING_MS;
      return wholeMs;
    }
    movingMs *= 2;
    return Math.min(wholeMs, movingMs / 2);
  }

  async function ask(waitMs: number, signal: AbortSignal): Promise<Answered['news']> {
    const report = desk.take();
    try {
      const asked = { held: options.held(), waitMs, report };
      const { news, heard } = await transport.question(point, asked, signal);
      if (report !== null) became(heard);
      isUnsure = false;
      options.onAnswer();
      return news;
    } catch (thrown) {
      if (report !== null) desk.lost();
      isUnsure = true;
      throw thrown;
    }
  }

  function became(heard: boolean): void {
    if (heard) desk.heard();
    else lost('the store does not take the report', desk.refused);
  }

  function lost(why: string, then: () => void): void {
    options.logger.debug({ event: 'report_lost', point, store: transport.name }, why);
    then();
  }

  async function rest(signal: AbortSignal): Promise<void> {
    pause = pauseFor(clock, pauses.nextMs());
    await whilePausing(pause, signal);
    signal.throwIfAborted();
  }

  return {
    async next(_known, signal) {
      for (;;) {
        const ms = waitMs();
        const askedAtMs = clock.now();
        const news = await ask(ms, signal);
        if (news.state !== 'unchanged') return news;
        // One that comes back sooner with nothing does not wait: asked again at once it would be asked for ever.
        if (clock.now() - askedAtMs < ms / 2) await rest(signal);
        else pauses.reset();
      }
    },
    hint: () => pause?.end(),
    async tell(signal) {
      const report = desk.take();
      if (report === null) return;
      try {
        await transport.report?.(report, signal);
        desk.heard();
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        lost(messageOf(thrown), systemCodeOf(thrown) === 'EDW_ERR_STORE_REFUSED' ? desk.refused : desk.lost);
      }
    },
  };
}
