/**
 * The one question that a point asks over and over: answered when something is newer than what it holds, or when its time is
 * over. What it has to tell is heard before that. Nothing is remembered of anybody.
 */
import { type AskedQuestion, answerBytes, type Delta, LIMITS, questionOf, tagOf } from '@edgeward/policy-format';
import type { HttpAnswer, TlsRequest } from '@edgeward/runtime';
import type { PublishedPoint, Publishing } from '../publishing/index.ts';
import type { Actor } from '../record/attempt.ts';
import type { AttemptRecord } from '../record/record.ts';
import { actorOf, identityIn } from './access.ts';
import { hearReport } from './heard-report.ts';
import { doorError, doorFailure } from './refusals.ts';
import type { ReportShelf } from './report-shelf.ts';
import { jsonOf, MAX_WAIT_MS } from './request-fields.ts';

export interface QuestionParts {
  publishing: Publishing;
  reports: ReportShelf;
  record: AttemptRecord;
}

/** Answered by the thousand. */
const BARE = { bare: true, contentType: 'application/json' };
const ALONG_BYTES = 64 * 1024;
export const NOTHING: HttpAnswer = { status: 204, empty: true, bare: true };

/** Throws EDW_ERR_FORMAT_QUESTION, EDW_ERR_FORMAT_REPORT, EDW_ERR_STORE_RECORD, EDW_ERR_STORE_NO_POINT, EDW_ERR_STORE_EPOCH. */
export async function answerQuestion(parts: QuestionParts, request: TlsRequest): Promise<HttpAnswer> {
  const point = request.params.point ?? '';
  const { publishing } = parts;
  const asked = await heardQuestion(parts, point, jsonOf(request), actorOf(identityIn(request.peer)));
  const now = answerNow(publishing, point, asked);
  if (now !== null) return now;
  await publishing.wait([point], Math.min(asked.waitMs, MAX_WAIT_MS), request.signal);
  return answerNow(publishing, point, asked) ?? NOTHING;
}

type Asked = Pick<AskedQuestion, 'from' | 'issuedAt' | 'tag'>;

/** Read, and its report heard. Throws EDW_ERR_FORMAT_QUESTION, EDW_ERR_FORMAT_REPORT, EDW_ERR_STORE_REQUEST, EDW_ERR_STORE_RECORD. */
export async function heardQuestion(
  parts: QuestionParts,
  point: string,
  value: unknown,
  actor: Actor,
): Promise<Omit<AskedQuestion, 'report'>> {
  const { report, ...asked } = questionOf(value, point, ({ from, issuedAt }) => {
    const head = parts.publishing.point(point)?.head;
    return head?.issuedAt === issuedAt && head.stateRoot === from.stateRoot ? head.log : null;
  });
  if (report === null) return asked;
  if (report.point !== point) throw doorFailure(400, 'EDW_ERR_STORE_REQUEST', 'the report is of another point');
  await hearReport(parts, report, actor);
  return asked;
}

/** Null where nothing is newer. Throws EDW_ERR_STORE_NO_POINT, EDW_ERR_STORE_EPOCH. */
export function answerNow(publishing: Publishing, point: string, asked: Asked): HttpAnswer | null {
  const { from, issuedAt } = asked;
  const news = publishing.news(point, from);
  if (news.state === 'other-epoch')
    throw doorError('EDW_ERR_STORE_EPOCH', `a delta from epoch ${from.epoch}: the store is in epoch ${news.epoch}`);
  const newest = publishing.point(point);
  if (news.state === 'none' || newest === null)
    throw doorError('EDW_ERR_STORE_NO_POINT', `nothing is published for ${point}`);
  if (news.state === 'snapshot') return askForHead(point);
  if (news.state === 'delta') return deltaTo(newest, news.delta.operations, asked);
  return newest.head.issuedAt > issuedAt ? deltaTo(newest, [], asked) : null;
}

function deltaTo(newest: PublishedPoint, operations: Delta['operations'], { tag }: Asked): HttpAnswer {
  const isKnown = tag === tagOf(newest);
  const bytes = answerBytes(newest, operations, isKnown, isKnown ? [] : newNames(newest));
  return bytes.length > LIMITS.deltaBytes ? askForHead(newest.point) : { ...BARE, bytes };
}

/**
 * Approval and rules, where they are small: another version is the moment when all points ask, and each of these would be a
 * question more. Whoever holds them already is seldom among those who ask.
 */
function newNames({ state }: PublishedPoint): Uint8Array[] {
  if (state === null) return [];
  const blobs = [state.slice, state.base].flatMap((it) => (it === null ? [] : [it.approvalBlob, it.rulesBlob]));
  const bytes = blobs.reduce((sum, { length }) => sum + length, 0);
  return bytes > ALONG_BYTES ? [] : blobs.map((it) => it.bytes);
}

function askForHead(point: string): HttpAnswer {
  return { status: 303, empty: true, bare: true, headers: { location: `/v1/points/${point}/head` } };
}
