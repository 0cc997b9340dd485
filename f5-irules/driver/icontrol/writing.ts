/**
 * Writes, one at a time: icrd has one writer, and answers others with 503. A write whose effect is unknown (a time-out, a
 * broken connection, a page of Jetty) is read back before the next one begins: what is there as asked was done, whatever
 * the answer. It is never sent again: the box may be busy with the first one still.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import type { Call, Settled } from './call.ts';
import type { Caller } from './caller.ts';

/** Runs jobs one after the other; a failed one holds up nobody. */
export type Queue = <T>(job: () => Promise<T>) => Promise<T>;

export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (job) => {
    const running = last.then(job);
    last = running.catch(() => {});
    return running;
  };
}

/** What is there when the write was made, or null. */
export type ReadBack<T> = () => Promise<T | null>;

export interface WritingOptions {
  logger: Logger;
  /** Between two looks; the box may still be at it. */
  lookPauseMs: number;
  /** No look begins after this. */
  lookMs: number;
  now: () => number;
}

const LOOKS = 4;

/** Throws only what the write itself failed with. */
export async function write<T>(
  caller: Caller,
  call: Call,
  readBack: ReadBack<T>,
  options: WritingOptions,
): Promise<Exclude<Settled, { state: 'failed' }> | { state: 'found'; found: T }> {
  const verdict = await caller.call(call);
  if (verdict.state !== 'failed') return verdict;
  if (verdict.effect === 'nothing' || verdict.effect === 'busy') throw verdict.error;
  const { method, path } = call;
  const { code } = verdict.error;
  const seen = await look(readBack, options);
  const outcome = seen.state === 'found' ? 'made' : seen.state === 'missing' ? 'not made' : 'unknown';
  options.logger.warn({ event: 'bigip_read_back', method, path, code, outcome }, 'a write had no clear answer');
  if (seen.state === 'found') return seen;
  throw explained(verdict.error, seen);
}

type Seen<T> = { state: 'found'; found: T } | { state: 'missing' } | { state: 'unread'; why: string };

async function look<T>(readBack: ReadBack<T>, { lookPauseMs, lookMs, now }: WritingOptions): Promise<Seen<T>> {
  const endsMs = now() + lookMs;
  let seen = await lookOnce(readBack);
  for (let times = 1; times < LOOKS && seen.state !== 'found'; times += 1) {
    await sleep(lookPauseMs * 2 ** (times - 1));
    if (now() >= endsMs) return seen;
    seen = await lookOnce(readBack);
  }
  return seen;
}

async function lookOnce<T>(readBack: ReadBack<T>): Promise<Seen<T>> {
  try {
    const found = await readBack();
    return found === null ? { state: 'missing' } : { state: 'found', found };
  } catch (thrown) {
    return { state: 'unread', why: messageOf(thrown) };
  }
}

function explained(error: EdgewardError, seen: Exclude<Seen<unknown>, { state: 'found' }>): EdgewardError {
  const found = seen.state === 'missing' ? 'read back, it is not made' : `and it can't be read back: ${seen.why}`;
  return new EdgewardError(error.code, `${error.message}; ${found}`, { mend: error.mend, cause: error.cause });
}
