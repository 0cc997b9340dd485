/**
 * The questions of all points of a service on one connection: what is asked within a moment goes together, and all waits of
 * one service end together, so that what was asked apart meets again. One point alone asks as it always did, and so does
 * whatever the store says is to be asked alone: a way round, a refusal, a large answer.
 */
import { type PointQuestion, questionText } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';
import { readAnswer } from '../documents.ts';
import { storeFailure } from '../failures.ts';
import type { Answered, News } from '../transport.ts';
import type { Site } from './call.ts';
import { type AskQuestion, PATIENCE_MS } from './point-questions.ts';
import { refusalOf } from './refusals.ts';

export interface JointQuestionsOptions {
  site: Site;
  /** The question of one point. */
  alone: AskQuestion;
  clock: Clock;
  /** The time of a call beside what it waits. */
  callMs: number;
}

/** Points at once: as many as a store takes. */
const MOST_POINTS = 32;
/** Of one answer. A store sends whoever has a larger one to ask alone. */
const LINE_BYTES = 128 * 1024;
const GATHER_MS = 20;
/**
 * Whoever was answered asks again when the answer is kept. The others wait for it: so long for each that comes back, and so
 * long at most.
 */
const RETURN_MS = 1_000;
const RETURNS_MS = 5_000;
/** A round with less left than this is as good as over: what is asked now begins another. */
const LATE_MS = 500;
const OLD_STORE_MS = 3_600_000;
const NOT_KNOWN = new Set([404, 405, 501]);
const NOTHING_NEW: News = { state: 'unchanged' };

interface Asking {
  point: string;
  asked: PointQuestion;
  /** Its report was heard already. */
  heard: boolean;
  sinceMs: number;
  signal: AbortSignal;
  resolve(answered: Answered): void;
  reject(thrown: unknown): void;
}

export interface JointQuestions {
  ask: AskQuestion;
  /** This point is given something to take over, and asks when it has. */
  expect(point: string): void;
}

export function createJointQuestions({ site, alone, clock, callMs }: JointQuestionsOptions): JointQuestions {
  const known = new Set<string>();
  const idle = new Set<Asking>();
  /** Points that were answered, or are at their beginning, and are still to ask. */
  const away = new Set<string>();
  const doing = `asking ${site.url.origin} what is new`;
  let cancel: (() => void) | null = null;
  let gatheredSinceMs = 0;
  let oldUntilMs = 0;
  let underWay = 0;
  /** When the waits end that are under way. */
  let roundEndsAtMs = 0;

  function plan(): void {
    const nowMs = clock.now();
    if (cancel === null) gatheredSinceMs = nowMs;
    else cancel();
    const longestMs = gatheredSinceMs + RETURNS_MS - nowMs;
    cancel = clock.after(away.size > 0 ? Math.max(0, Math.min(RETURN_MS, longestMs)) : GATHER_MS, flush);
  }

  function flush(): void {
    cancel = null;
    away.clear();
    const all = [...idle];
    idle.clear();
    for (let first = 0; first < all.length; first += MOST_POINTS) {
      const some = all.slice(first, first + MOST_POINTS);
      const waitMs = begin(some);
      const [one] = some;
      void (some.length === 1 && one !== undefined ? askAlone(one, waitMs) : askTogether(some, waitMs)).finally(() => {
        underWay -= 1;
      });
    }
  }

  /** How long they wait. */
  function begin(askings: readonly Asking[]): number {
    const nowMs = clock.now();
    const leftMs = askings.map(({ asked, sinceMs }) => sinceMs + asked.waitMs - nowMs);
    const roundMs = roundEndsAtMs - nowMs;
    const joins = underWay > 0 && roundMs >= LATE_MS;
    const waitMs = Math.max(0, Math.min(...leftMs, ...(joins ? [roundMs] : [])));
    if (!joins) roundEndsAtMs = nowMs + waitMs;
    underWay += 1;
    return waitMs;
  }

  async function askAlone(asking: Asking, waitMs: number): Promise<void> {
    const { point, asked, signal } = asking;
    const askedAtMs = clock.now();
    try {
      const { news, heard } = await alone(point, { ...asked, waitMs, report: reportOf(asking) }, signal);
      asking.heard ||= heard;
      if (news.state === 'unchanged') unchanged(asking, askedAtMs, waitMs);
      else answered(asking, news);
    } catch (thrown) {
      asking.reject(thrown);
    }
  }

  async function askTogether(askings: readonly Asking[], waitMs: number): Promise<void> {
    const open = new Map(askings.map((asking) => [asking.point, asking]));
    const sent: Promise<void>[] = [];
    const askedAtMs = clock.now();
    const ending = new AbortController();
    const leave = (): void => {
      if ([...open.values()].every(({ signal }) => signal.aborted)) ending.abort();
    };
    for (const { signal } of askings) signal.addEventListener('abort', leave, { once: true });

    function onLine(line: string): void {
      const [point = '', text = ''] = splitLine(line);
      const asking = open.get(point);
      if (asking === undefined) throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it answers what was not asked`);
      open.delete(point);
      if (text === 'alone') sent.push(askAlone(asking, leftOf(asking)));
      else take(asking, text);
    }

    try {
      leave();
      const answer = await site.lines(requestOf(askings, waitMs), ending.signal, onLine);
      if (answer.status === 200 || answer.status === 204) {
        for (const asking of open.values()) {
          asking.heard = true;
          unchanged(asking, askedAtMs, waitMs);
        }
      } else if (answer.status === 400 || answer.status === 413 || NOT_KNOWN.has(answer.status)) {
        if (NOT_KNOWN.has(answer.status)) oldUntilMs = clock.now() + OLD_STORE_MS;
        for (const asking of open.values()) sent.push(askAlone(asking, leftOf(asking)));
      } else throw refusalOf(answer, doing);
    } catch (thrown) {
      for (const asking of open.values()) asking.reject(thrown);
    } finally {
      for (const { signal } of askings) signal.removeEventListener('abort', leave);
    }
    await Promise.all(sent);
  }

  function take(asking: Asking, text: string): void {
    const bytes = Buffer.from(text);
    try {
      asking.heard = true;
      const answer = readAnswer(bytes, asking.asked.held, `${doing} at ${asking.point}`);
      answered(asking, { state: 'delta', ...answer, bytes: bytes.length });
    } catch (thrown) {
      asking.reject(thrown);
    }
  }

  function answered(asking: Asking, news: News): void {
    away.add(asking.point);
    asking.resolve({ news, heard: isHeard(asking) });
  }

  /**
   * What has waited for most of its time is answered, and asks anew with the others. A store that does not wait is the point's
   * own to be patient with.
   */
  function unchanged(asking: Asking, askedAtMs: number, waitMs: number): void {
    const nowMs = clock.now();
    const isWaiting = nowMs - askedAtMs >= waitMs / 2 && nowMs - asking.sinceMs < asking.asked.waitMs / 2;
    if (!isWaiting) asking.resolve({ news: NOTHING_NEW, heard: isHeard(asking) });
    else if (asking.signal.aborted) asking.reject(asking.signal.reason);
    else {
      idle.add(asking);
      plan();
    }
  }

  const leftOf = ({ asked, sinceMs }: Asking): number => Math.max(0, sinceMs + asked.waitMs - clock.now());

  function requestOf(askings: readonly Asking[], waitMs: number): Parameters<Site['lines']>[0] {
    const questions = askings.map(
      (it) => `${JSON.stringify(it.point)}:${questionText({ ...it.asked, waitMs, report: reportOf(it) })}`,
    );
    return {
      ...{ method: 'POST', path: '/v1/next', body: `{${questions.join(',')}}`, doing, maxBytes: LINE_BYTES },
      ...{ limitMs: callMs + waitMs, silenceMs: waitMs + Math.min(callMs, PATIENCE_MS) },
    };
  }

  function ask(point: string, asked: PointQuestion, signal: AbortSignal): Promise<Answered> {
    known.add(point);
    away.delete(point);
    if (known.size === 1 || clock.now() < oldUntilMs) return alone(point, asked, signal);
    return new Promise<Answered>((resolve, reject) => {
      const end = (): void => {
        idle.delete(asking);
        reject(signal.reason);
      };
      const settling =
        <T>(settle: (value: T) => void): ((value: T) => void) =>
        (value) => {
          signal.removeEventListener('abort', end);
          settle(value);
        };
      const asking: Asking = {
        ...{ point, asked, signal, heard: false, sinceMs: clock.now() },
        ...{ resolve: settling(resolve), reject: settling(reject) },
      };
      if (signal.aborted) return end();
      signal.addEventListener('abort', end, { once: true });
      idle.add(asking);
      plan();
    });
  }

  return {
    ask,
    expect(point) {
      known.add(point);
      away.add(point);
    },
  };
}

function reportOf({ asked, heard }: Asking): PointQuestion['report'] {
  return heard ? null : asked.report;
}

function isHeard({ asked, heard }: Asking): boolean {
  return heard && asked.report !== null;
}

function splitLine(line: string): [point: string, text: string] {
  const at = line.indexOf(' ');
  return [line.slice(0, at), line.slice(at + 1)];
}
