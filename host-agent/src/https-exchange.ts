/**
 * One request over TLS and its answer, whole and bounded. What is asked and what the answer means is the caller's. Throws
 * EDW_ERR_SERVICE_UNREACHABLE where no answer comes, EDW_ERR_SERVICE_ANSWER for one that is too large or cut off.
 */
import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';
import type { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { createGunzip } from 'node:zlib';
import { EdgewardError, messageOf, systemCodeOf } from '@edgeward/runtime';

export interface Exchange {
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
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** Where the connection went. */
  remote: string | null;
}

export async function exchange(asked: Exchange): Promise<Answer> {
  const limit = AbortSignal.timeout(asked.timeoutMs);
  const signal = asked.signal === undefined ? limit : AbortSignal.any([asked.signal, limit]);
  try {
    const response = await responseTo(asked, signal);
    const remote = response.socket instanceof TLSSocket ? (response.socket.remoteAddress ?? null) : null;
    const body = await bodyOf(response, asked);
    return { status: response.statusCode ?? 0, headers: response.headers, body, remote };
  } catch (thrown) {
    if (thrown instanceof EdgewardError) throw thrown;
    throw unreachable(asked.url, limit.aborted ? `no answer within ${asked.timeoutMs} ms` : wordsOf(thrown), thrown);
  }
}

function responseTo(asked: Exchange, signal: AbortSignal): Promise<IncomingMessage> {
  const { url, method, headers, body, tls, agent } = asked;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...headers, ...length }, agent, signal, minVersion: 'TLSv1.2' as const };
    const sent = request(url, { ...options, ...tls }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

async function bodyOf(response: IncomingMessage, { url, maxBytes }: Exchange): Promise<Buffer> {
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
      throw badAnswer(url, `it has more than ${maxBytes} bytes`);
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

export function unreachable(url: string, why: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_SERVICE_UNREACHABLE', `calling ${url}: ${why}`, {
    mend: 'What is in force on this host stays. Start the sync service, or look at what stands between it and this host.',
    cause,
  });
}

export function badAnswer(url: string, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_SERVICE_ANSWER', `reading the answer of ${url}: ${why}`, {
    mend: 'Check that what answers there is the sync service, and of the same version as this agent.',
  });
}
