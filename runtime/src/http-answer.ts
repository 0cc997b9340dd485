/** Puts an answer or a coded failure on the wire. Nothing is sniffed, and cached only what says so itself. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import type { HttpAnswer, HttpFailure, ServerEvent } from './http-route.ts';

const fixedHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
const jsonType = 'application/json; charset=utf-8';
/** Below it compressing saves next to nothing. */
const leastCompressedBytes = 1_000;
const smallBytes = 8 * 1024;
/** What is answered by the thousand at once: up to here the time that packing takes counts for more than the bytes. */
const bareBytes = 16 * 1024;
/** More often than idle connections are closed, here and in what stands between. */
const heartbeatMs = 15_000;

interface Sending {
  signal: AbortSignal;
  compress: boolean;
}

/** Resolves when everything is handed over; a stream ends early, and quietly, when `signal` is aborted. */
export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: HttpAnswer,
  { signal, compress }: Sending,
): Promise<void> {
  const status = answer.status ?? 200;
  const headers = answer.bare === true ? { ...answer.headers } : { ...fixedHeaders, ...answer.headers };
  if (signal.aborted) response.shouldKeepAlive = false;
  // HTTP/1.1 keeps a connection unless it says otherwise (RFC 9112, section 9.3).
  else if (answer.bare === true) response.removeHeader('connection');
  if ('ndjson' in answer) {
    response.writeHead(status, { ...headers, 'content-type': 'application/x-ndjson; charset=utf-8' });
    await sendPieces(response, linesOf(answer.ndjson), signal, null);
  } else if ('pieces' in answer) {
    response.writeHead(status, headers);
    await sendPieces(response, answer.pieces, signal, null);
  } else if ('events' in answer) {
    response.writeHead(status, { ...headers, 'content-type': 'text/event-stream; charset=utf-8' });
    await sendPieces(response, eventsOf(answer.events), signal, ':\n\n');
  } else if ('empty' in answer) {
    response.writeHead(status, status === 204 || status === 304 ? headers : { ...headers, 'content-length': 0 });
    response.end();
  } else {
    const content = contentOf(answer);
    const isSmall = answer.bare === true && content.bytes.length <= bareBytes;
    if (compress && !isSmall) await sendNegotiated(request, response, status, headers, content);
    else sendBytes(request, response, status, headers, content);
  }
}

interface Content {
  bytes: Uint8Array;
  /** Null: it goes without saying. */
  type: string | null;
  etag: string | undefined;
}

function contentOf(answer: Exclude<HttpAnswer, { empty: true }>): Content {
  if ('bytes' in answer)
    return { bytes: answer.bytes, type: answer.bare === true ? null : answer.contentType, etag: answer.etag };
  if ('text' in answer)
    return {
      bytes: Buffer.from(answer.text),
      type: answer.contentType ?? 'text/plain; charset=utf-8',
      etag: undefined,
    };
  const json = 'json' in answer ? answer.json : null;
  return { bytes: Buffer.from(`${JSON.stringify(json)}\n`), type: jsonType, etag: undefined };
}

/** The same content in two codings is two representations: each has an ETag of its own (RFC 9110, section 8.8.3.3). */
async function sendNegotiated(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  plain: OutgoingHttpHeaders,
  content: Content,
): Promise<void> {
  // What no cache may keep varies for none.
  const cached = plain['cache-control'];
  const headers = cached === undefined || cached === 'no-store' ? plain : { ...plain, vary: 'accept-encoding' };
  // Whoever made it coded has said how.
  if (plain['content-encoding'] !== undefined) return sendBytes(request, response, status, headers, content);
  if (isKnown(request, content.etag)) return sendBytes(request, response, status, headers, content);
  if (content.bytes.length < leastCompressedBytes || !acceptsGzip(request.headers))
    return sendBytes(request, response, status, headers, content);
  const bytes = await packed(content.bytes);
  if (bytes.length > content.bytes.length * 0.9) return sendBytes(request, response, status, headers, content);
  const etag = content.etag === undefined ? undefined : `${content.etag}-gzip`;
  const coded = { ...headers, 'content-encoding': 'gzip' };
  sendBytes(request, response, status, coded, { bytes, type: content.type, etag });
}

/** A small answer is packed at once, in a small window: a stream for each of a thousand costs more than what it packs. */
async function packed(bytes: Uint8Array): Promise<Buffer> {
  if (bytes.length <= smallBytes) return gzipSync(bytes, { level: 5, windowBits: 13, memLevel: 6 });
  return promisify(gzip)(bytes, { level: 5 });
}

function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  { bytes, type, etag }: Content,
): void {
  const tagged = etag === undefined ? headers : { ...headers, etag: `"${etag}"` };
  if (isKnown(request, etag)) {
    response.writeHead(304, tagged);
    response.end();
    return;
  }
  const typed = type === null ? tagged : { ...tagged, 'content-type': type };
  response.writeHead(status, { ...typed, 'content-length': bytes.length });
  response.end(bytes);
}

/** If-None-Match compares weakly; either coding of the same content will do. */
function isKnown(request: IncomingMessage, etag: string | undefined): boolean {
  const given = request.headers['if-none-match'];
  if (etag === undefined || given === undefined) return false;
  const tags = given.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.some((tag) => tag === '*' || tag === `"${etag}"` || tag === `"${etag}-gzip"`);
}

/** `q=0` refuses; anything else that names gzip will do. */
export function acceptsGzip(headers: IncomingHttpHeaders): boolean {
  const given = String(headers['accept-encoding'] ?? '');
  return given.split(',').some((coding) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding));
}

/** Where an answer has begun already, cutting it is the only way left to say that it is not whole. */
export function sendFailure(response: ServerResponse, { status, error, headers }: HttpFailure): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // Of what was refused before it was read, the rest is never read.
  if (!response.req.complete) response.setHeader('connection', 'close');
  const body = Buffer.from(
    `${JSON.stringify({ error: { code: error.code, message: error.message, mend: error.mend } })}\n`,
  );
  const length = { 'content-type': jsonType, 'content-length': body.length };
  response.writeHead(status, { ...fixedHeaders, ...headers, ...length });
  response.end(body);
}

async function* linesOf(lines: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

async function* eventsOf(events: AsyncIterable<ServerEvent>): AsyncGenerator<string> {
  for await (const { event, data } of events) yield `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

async function sendPieces(
  response: ServerResponse,
  pieces: AsyncGenerator<string>,
  signal: AbortSignal,
  heartbeat: string | null,
): Promise<void> {
  response.flushHeaders();
  const beat = setInterval(() => {
    if (heartbeat !== null && !response.writableNeedDrain) response.write(heartbeat);
  }, heartbeatMs);
  try {
    while (!signal.aborted) {
      // A live source may be silent for hours: the abort must not wait for its next line.
      const next = await orAborted(pieces.next(), signal);
      if (next === null || next.done) break;
      if (!response.write(next.value)) await orAborted(once(response, 'drain', { signal }), signal);
    }
  } finally {
    clearInterval(beat);
    // Not awaited: a generator that waits for its next event returns only after it.
    void pieces.return(undefined).catch(() => {});
  }
  response.end();
}

/** Null when `signal` is aborted first. One listener a call, taken back: a race against one promise would keep them all. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  let onAbort: () => void = () => {};
  const aborted = new Promise<null>((resolve) => {
    onAbort = () => resolve(null);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (thrown) {
    if (signal.aborted) return null;
    throw thrown;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
