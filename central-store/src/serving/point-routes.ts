/**
 * What points ask for: what is newer than what they hold, with what they have to tell; or each by itself: their head, the way from what they hold, what these name, hints, and the other way round what they
 * have to tell. A client says what it holds; nothing is remembered of anybody.
 */
import { deltaBytes, isDigest, LIMITS, pointReportOf } from '@edgeward/policy-format';
import type { HttpAnswer, TlsRequest } from '@edgeward/runtime';
import type { Publishing } from '../publishing/index.ts';
import type { AttemptRecord } from '../record/record.ts';
import { actorOf, identityIn } from './access.ts';
import { hearReport } from './heard-report.ts';
import { hintsFor } from './hints.ts';
import { answerJointly, JOINT_BYTES } from './joint-question.ts';
import { answerQuestion } from './point-question.ts';
import { doorError, doorFailure } from './refusals.ts';
import type { ReportShelf } from './report-shelf.ts';
import { cursorOf, jsonOf, versionOf, waitMsOf } from './request-fields.ts';
import type { StoreRoute } from './route.ts';

export interface PointRoutesOptions {
  publishing: Publishing;
  reports: ReportShelf;
  record: AttemptRecord;
}

const REPORT_BYTES = 16 * 1024;
/** JSON has no charset to name (RFC 8259, section 11), and thousands of points are told it each time. */
const JSON_TYPE = 'application/json';
/** For whoever asked with a certificate, and for nobody who shares a cache with it. */
const FOR_EVER = { 'cache-control': 'private, max-age=31536000, immutable' };
const WAITING = { prefer: '`wait=N`: how many seconds to wait for news, 60 at most.' };

export function pointRoutes(options: PointRoutesOptions): StoreRoute[] {
  const { publishing } = options;
  return [
    {
      ...{ method: 'POST', path: '/v1/points/:point/next', who: 'point', budget: 'requests', action: 'point.next' },
      maxBodyBytes: REPORT_BYTES,
      handle: (request) => answerQuestion(options, request),
      doc: {
        summary: 'What is newer than what a point holds, waited for, with what the service there has to tell',
        body: '`{from, issuedAt, tag, waitMs, report}`, as docs/format.md has it: the head that is held, how long to wait (60 s at most), and, where there is something to tell, a report.',
        answers: {
          200: 'What leads to the newest head, without what is held already; no operations where the same state was signed anew. The report was heard.',
          204: 'Nothing is newer. The report was heard.',
          303: 'Too long ago: take the head. The report was heard.',
          400: 'It is no question, or a report of another point.',
          404: 'Nothing is published for it.',
          409: 'The store is in another epoch.',
        },
      },
    },
    {
      ...{ method: 'POST', path: '/v1/next', who: 'anyone', budget: 'requests', action: 'points.next' },
      maxBodyBytes: JOINT_BYTES,
      handle: (request) => answerJointly(options, request),
      doc: {
        summary: "The same question for several of the certificate's points, on one connection",
        body: '`{POINT: question}`, 32 at most, each as its point asks it alone. It waits as long as the one that waits least.',
        answers: {
          200: 'As soon as something is newer, and then as it comes: lines of `POINT ANSWER`, or `POINT alone` for one that is to ask by itself. Of a point without a line nothing is newer. All other reports were heard.',
          204: 'Nothing is newer. The reports were heard.',
          400: 'It is no question.',
        },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/points/:point/head', who: 'point', budget: 'requests', action: 'point.head' },
      handle: (request) => head(publishing, request),
      doc: {
        summary: 'The newest signed head of a point',
        headers: { ...WAITING, 'if-none-match': 'The ETag of the head that is held.' },
        answers: { 200: 'The signed head.', 304: 'It is the one that is held.', 404: 'Nothing is published for it.' },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/points/:point/delta', who: 'point', budget: 'requests', action: 'point.delta' },
      handle: (request) => delta(publishing, request),
      doc: {
        summary: 'What leads from a state of a point to the newest',
        query: { from: '`EPOCH.REVISION.STATEROOT` of the head that is held.' },
        headers: WAITING,
        answers: {
          200: 'A delta, with the signed head in it.',
          204: 'Nothing is newer.',
          303: 'Too long ago: take the head.',
          404: 'Nothing is published for it.',
          409: 'The store is in another epoch.',
        },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/blobs/sha256/:hex', who: 'anyone', budget: 'blobs', action: 'blob.get' },
      handle: (request) => blob(publishing, request),
      doc: {
        summary: "Bytes that a head of one of the certificate's points names, or named a short while ago",
        headers: { 'if-none-match': 'The digest.' },
        answers: { 200: 'The bytes.', 304: 'They are held.', 404: 'There are none for this certificate.' },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/roots/:version', who: 'anyone', budget: 'requests', action: 'root.get' },
      handle: (request) => root(publishing, request),
      doc: {
        summary: 'A signed trust root, by version or as `newest`',
        answers: { 200: 'The signed trust root.', 404: 'There is none of this version.' },
      },
    },
    {
      ...{ method: 'GET', path: '/v1/events', who: 'anyone', budget: 'requests', action: 'events.follow' },
      handle: ({ peer, signal }) => ({ events: hintsFor(publishing, identityIn(peer).points, signal) }),
      doc: {
        summary: "Hints that one of the certificate's points has something new",
        answers: { 200: 'Server-sent events `hint`: `{point, revision}`. One may be lost.' },
      },
    },
    {
      ...{ method: 'POST', path: '/v1/points/:point/status', who: 'point', budget: 'requests', action: 'point.report' },
      maxBodyBytes: REPORT_BYTES,
      handle: (request) => report(options, request),
      doc: {
        summary: 'What the service at a point has to tell',
        body: 'A report (`edgeward-report/1`).',
        answers: { 204: 'It was heard.', 400: 'It is no report, or one of another point.' },
      },
    },
  ];
}

async function head(publishing: Publishing, request: TlsRequest): Promise<HttpAnswer> {
  const point = request.params.point ?? '';
  const held = request.headers['if-none-match'];
  const waitMs = waitMsOf(request);
  let found = publishing.point(point);
  if (waitMs > 0 && found !== null && held?.includes(found.digest)) {
    await publishing.wait([point], waitMs, request.signal);
    found = publishing.point(point);
  }
  if (found === null) throw notPublished(point);
  return { bytes: found.bytes, contentType: JSON_TYPE, etag: found.digest };
}

async function delta(publishing: Publishing, request: TlsRequest): Promise<HttpAnswer> {
  const point = request.params.point ?? '';
  const from = cursorOf(request);
  const waitMs = waitMsOf(request);
  const untilMs = performance.now() + waitMs;
  let news = publishing.news(point, from);
  // Woken by a head that was only signed anew, whoever waits goes on.
  for (let leftMs = waitMs; news.state === 'unchanged' && leftMs > 0 && !request.signal.aborted; ) {
    await publishing.wait([point], leftMs, request.signal);
    news = publishing.news(point, from);
    leftMs = untilMs - performance.now();
  }
  if (news.state === 'unchanged') return { status: 204, empty: true };
  if (news.state === 'none') throw notPublished(point);
  if (news.state === 'other-epoch')
    throw doorError('EDW_ERR_STORE_EPOCH', `a delta from epoch ${from.epoch}: the store is in epoch ${news.epoch}`);
  const bytes = news.state === 'delta' ? deltaBytes(news.delta) : null;
  if (bytes === null || bytes.length > LIMITS.deltaBytes)
    return { status: 303, empty: true, headers: { location: `/v1/points/${point}/head` } };
  return { bytes, contentType: JSON_TYPE };
}

async function blob(publishing: Publishing, { params, peer }: TlsRequest): Promise<HttpAnswer> {
  const digest = params.hex ?? '';
  const bytes = isDigest(digest) ? await publishing.blob(digest, identityIn(peer).points) : null;
  if (bytes === null) throw doorError('EDW_ERR_STORE_NO_BLOB', 'there is no such blob for this certificate');
  return { bytes, contentType: 'application/octet-stream', etag: digest, headers: FOR_EVER };
}

function root(publishing: Publishing, request: TlsRequest): HttpAnswer {
  const newest = request.params.version === 'newest';
  const bytes = publishing.root(newest ? 'newest' : versionOf(request, 'version'));
  if (bytes === null) throw doorError('EDW_ERR_STORE_NO_ROOT', 'there is no trust root of this version');
  return { bytes, contentType: JSON_TYPE, ...(newest ? {} : { headers: FOR_EVER }) };
}

async function report({ reports, record }: PointRoutesOptions, request: TlsRequest): Promise<HttpAnswer> {
  const told = pointReportOf(jsonOf(request));
  if (told.point !== request.params.point)
    throw doorFailure(400, 'EDW_ERR_STORE_REQUEST', 'the report is of another point');
  await hearReport({ reports, record }, told, actorOf(identityIn(request.peer)));
  return { status: 204, empty: true };
}

function notPublished(point: string): Error {
  return doorError('EDW_ERR_STORE_NO_POINT', `nothing is published for ${point}`);
}
