/**
 * The questions of several points of one certificate in one request: a service with fifty points waits on one connection. What
 * is simple is answered here; a point for which anything else is to be said is sent to ask by itself, so that a refusal, a way
 * round or a large answer has one place only.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AskedQuestion, isName } from '@edgeward/policy-format';
import type { HttpAnswer, TlsRequest } from '@edgeward/runtime';
import { actorOf, identityIn } from './access.ts';
import { answerNow, heardQuestion, NOTHING, type QuestionParts } from './point-question.ts';
import { doorError } from './refusals.ts';
import { jsonOf, MAX_WAIT_MS } from './request-fields.ts';

/** Points at once, and what their questions and reports may take together. */
const MOST_POINTS = 32;
export const JOINT_BYTES: number = 512 * 1024;
/** A larger answer is packed, and holds up nobody else. */
const ANSWER_BYTES = 16 * 1024;
/** What reaches all points comes to one after another: those of one service go together. */
const LINGER_MS = 25;
const TEXT = 'text/plain; charset=utf-8';

type Waiting = Map<string, Omit<AskedQuestion, 'report'>>;

/** Throws EDW_ERR_STORE_REQUEST. */
export async function answerJointly(parts: QuestionParts, request: TlsRequest): Promise<HttpAnswer> {
  const waiting: Waiting = new Map();
  const alone: string[] = [];
  const identity = identityIn(request.peer);
  for (const [point, value] of questionsIn(jsonOf(request))) {
    const asked = identity.points.includes(point)
      ? await heardQuestion(parts, point, value, actorOf(identity)).catch(() => null)
      : null;
    if (asked === null) alone.push(`${point} alone\n`);
    else waiting.set(point, asked);
  }
  const lines = linesFor(parts, waiting, alone, request.signal);
  const first = await lines.next();
  if (first.done === true) return NOTHING;
  if (waiting.size === 0) return { bare: true, bytes: Buffer.from(first.value), contentType: TEXT };
  return { bare: true, pieces: following(first.value, lines) };
}

/** Whatever its keys are: each is a point of the certificate, or asks by itself. */
function questionsIn(value: unknown): [point: string, question: unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw doorError('EDW_ERR_STORE_REQUEST', 'the body must be {POINT: question}');
  const questions = Object.entries(value);
  if (questions.length === 0 || questions.length > MOST_POINTS || questions.some(([point]) => !isName(point)))
    throw doorError('EDW_ERR_STORE_REQUEST', `the body must be {POINT: question}, of ${MOST_POINTS} points at most`);
  return questions;
}

/** Some lines each time; whoever is answered waits no longer. */
async function* linesFor(
  { publishing }: QuestionParts,
  waiting: Waiting,
  alone: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<string> {
  const least = Math.min(MAX_WAIT_MS, ...[...waiting.values()].map(({ waitMs }) => waitMs));
  const untilMs = performance.now() + least;
  for (let lines = [...alone, ...linesNow(publishing, waiting)]; ; lines = linesNow(publishing, waiting)) {
    if (lines.length > 0) yield lines.join('');
    const leftMs = untilMs - performance.now();
    if (waiting.size === 0 || leftMs <= 0 || signal.aborted) return;
    await publishing.wait([...waiting.keys()], leftMs, signal);
    if (waiting.size > 1 && performance.now() < untilMs) await sleep(LINGER_MS);
  }
}

function linesNow(publishing: QuestionParts['publishing'], waiting: Waiting): string[] {
  const lines: string[] = [];
  for (const [point, asked] of waiting) {
    const answer = answerTo(publishing, point, asked);
    if (answer === null) continue;
    waiting.delete(point);
    lines.push(`${point} ${answer}\n`);
  }
  return lines;
}

/** Null where nothing is newer. Canonical JSON has no line end in it. */
function answerTo(
  publishing: QuestionParts['publishing'],
  point: string,
  asked: Omit<AskedQuestion, 'report'>,
): string | null {
  try {
    const answer = answerNow(publishing, point, asked);
    if (answer === null) return null;
    return 'bytes' in answer && answer.bytes.length <= ANSWER_BYTES ? Buffer.from(answer.bytes).toString() : 'alone';
  } catch {
    // Nothing is published for it any more, or in another epoch.
    return 'alone';
  }
}

async function* following(first: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}
