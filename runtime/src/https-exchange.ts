/**
 * One request over TLS and its answer, whole and bounded in time and size. What is asked, what the answer means and what a
 * failure is called is the caller's. Nothing is tried again here.
 */
import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';
import type { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { createGunzip } from 'node:zlib';
import { systemCodeOf } from './durable-file.ts';
import { EdgewardError, messageOf } from './errors.ts';

export interface HttpsAsked {
  url: string;
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** Certificates and the authority; of a connection that is kept, its agent. */
  tls: { ca: string; cert?: string; key?: string };
  /** False: a connection of its own, that was not there before and is not kept. */
  agent: Agent | false;
  /** For all of it. */
  timeoutMs: number;
  maxBytes: number;
  signal?: AbortSignal;
  /** TLSv1.2 without it. */
  minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export interface ExchangeFailures {
  /** No whole answer came. */
  unreachable(url: string, why: string, cause: unknown): EdgewardError;
  /** It is too large, or can't be unpacked. */
  badAnswer(url: string, why: string): EdgewardError;
}

export interface HttpsAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** Where the connection went. */
  remote: string | null;
}

export async function httpsExchange(asked: HttpsAsked, failures: ExchangeFailures): Promise<HttpsAnswer> {
  const limit = AbortSignal.timeout(asked.timeoutMs);
  const signal = asked.signal === undefined ? limit : AbortSignal.any([asked.signal, limit]);
  try {
    const response = await responseTo(asked, signal);
    const remote = response.socket instanceof TLSSocket ? (response.socket.remoteAddress ?? null) : null;
    const body = await bodyOf(response, asked, failures);
    return { status: response.statusCode ?? 0, headers: response.headers, body, remote };
  } catch (thrown) {
    if (thrown instanceof EdgewardError) throw thrown;
    if (systemCodeOf(thrown)?.startsWith('Z_') === true) throw failures.badAnswer(asked.url, wordsOf(thrown));
    const why = limit.aborted ? `no answer within ${asked.timeoutMs} ms` : wordsOf(thrown);
    throw failures.unreachable(asked.url, why, thrown);
  }
}

function responseTo(asked: HttpsAsked, signal: AbortSignal): Promise<IncomingMessage> {
  const { url, method, headers, body, tls, agent, minVersion = 'TLSv1.2' } = asked;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...headers, ...length }, agent, signal, minVersion };
    // Said, because NODE_TLS_REJECT_UNAUTHORIZED in the environment has it otherwise.
    const sent = request(url, { ...options, ...tls, rejectUnauthorized: true }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

async function bodyOf(
  response: IncomingMessage,
  { url, maxBytes }: HttpsAsked,
  failures: ExchangeFailures,
): Promise<Buffer> {
  const packed = response.headers['content-encoding'] === 'gzip';
  const readable: Readable = packed ? response.pipe(createGunzip()) : response;
  // What is cut off on the way ends the unpacked stream too.
  if (packed) response.on('error', (cause) => readable.destroy(cause));
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of readable as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > maxBytes) {
      response.destroy();
      throw failures.badAnswer(url, `it has more than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function wordsOf(thrown: unknown): string {
  const code = systemCodeOf(thrown);
  const words = messageOf(thrown);
  return code === null || words.includes(code) ? words : `${words} (${code})`;
}
