/**
 * The one question of a point, asked over HTTP: a change costs one request and one answer, and what there is to tell rides
 * along. Whatever the answer leads to is asked for before the next one, on the connection that is free then. A store that
 * does not know the question yet is asked as it was before.
 */
import {
  cursorIn,
  LIMITS,
  type PointQuestion,
  type PointReport,
  questionText,
  type SignedHead,
} from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';
import { readAnswer } from '../documents.ts';
import type { Answered, News } from '../transport.ts';
import type { Answer, Site } from './call.ts';
import type { PointNews } from './point-news.ts';
import { refusalOf } from './refusals.ts';

export interface PointQuestionsOptions {
  site: Site;
  news: PointNews;
  report: (report: PointReport, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  /** The time of a call beside what it waits. */
  callMs: number;
}

export type AskQuestion = (point: string, asked: PointQuestion, signal: AbortSignal) => Promise<Answered>;

/** A store is brought up to date sooner or later. */
const OLD_STORE_MS = 3_600_000;
const NOT_KNOWN = new Set([404, 405, 501]);
/**
 * How long after its time an answer is waited for: then nobody is there any more, whatever the connection says. A store that is
 * busy with thousands of points takes some of it.
 */
export const PATIENCE_MS = 4_000;

export function createPointQuestions(options: PointQuestionsOptions): AskQuestion {
  const { site, news, clock, callMs } = options;
  let oldUntilMs = 0;

  async function ask(point: string, asked: PointQuestion, signal: AbortSignal): Promise<Answer> {
    const { waitMs } = asked;
    const limits = {
      limitMs: callMs + waitMs,
      silenceMs: waitMs + Math.min(callMs, PATIENCE_MS),
      maxBytes: LIMITS.deltaBytes,
    };
    const path = `/v1/points/${point}/next`;
    const headers = { 'accept-encoding': 'gzip' };
    return site.call(
      { method: 'POST', path, headers, body: questionText(asked), ...limits, doing: doingFor(point) },
      signal,
    );
  }

  const doingFor = (point: string): string => `asking ${site.url.origin} what is new at ${point}`;

  async function newsIn(answer: Answer, point: string, held: SignedHead, signal: AbortSignal): Promise<News> {
    if (answer.status === 204) return { state: 'unchanged' };
    if (answer.status === 200)
      return { state: 'delta', ...readAnswer(answer.bytes, held, doingFor(point)), bytes: answer.wireBytes };
    if (answer.status === 303 || answer.status === 409) return news.next(point, null, { waitMs: 0, signal });
    throw refusalOf(answer, doingFor(point));
  }

  async function asBefore(point: string, asked: PointQuestion, signal: AbortSignal): Promise<Answered> {
    const heard = asked.report !== null && (await isHeard(asked.report, signal));
    const from = cursorIn(asked.held.head);
    const waited = await news.next(point, from, { waitMs: asked.waitMs, signal });
    if (waited.state !== 'unchanged') return { news: waited, heard };
    return { news: await news.next(point, from, { waitMs: 0, signal }), heard };
  }

  async function isHeard(report: PointReport, signal: AbortSignal): Promise<boolean> {
    try {
      await options.report(report, signal);
      return true;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return false;
    }
  }

  return async (point, asked, signal) => {
    if (clock.now() < oldUntilMs) return asBefore(point, asked, signal);
    const answer = await ask(point, asked, signal);
    const { status } = answer;
    if (NOT_KNOWN.has(status)) {
      const answered = await asBefore(point, asked, signal);
      oldUntilMs = clock.now() + OLD_STORE_MS;
      return answered;
    }
    // A report that this store can't read, or can't keep, is no reason to miss a policy.
    if (asked.report !== null && (status === 400 || status === 413 || status >= 500)) {
      const alone = await ask(point, { ...asked, report: null }, signal);
      return { news: await newsIn(alone, point, asked.held, signal), heard: false };
    }
    return { news: await newsIn(answer, point, asked.held, signal), heard: asked.report !== null && status < 400 };
  };
}
