/**
 * One POST and its answer, whole, bounded in time and size, over a connection that is kept. Nothing is followed: a redirect
 * is an answer. Certificates and secrets are read from their files for each new connection's owner: whoever got an error
 * makes a new one.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { messageOf, systemCodeOf } from '@edgeward/runtime';
import { sinkFailure } from './sink.ts';

export interface PushAnswer {
  status: number;
  /** The beginning of it, as text. */
  text: string;
  /** There was more. */
  isCut: boolean;
  /** What it asks for; 0 where it asks for nothing. */
  retryAfterMs: number;
}

export interface HttpPush {
  /** Rejects with EDW_ERR_SINK_PUSH where no whole answer comes. */
  post(body: Uint8Array, signal: AbortSignal): Promise<PushAnswer>;
  close(): void;
}

export interface HttpPushOptions {
  url: URL;
  headers: Record<string, string>;
  /** PEM. Without an authority the system's are believed. */
  tls: { ca?: string; cert?: string; key?: string };
  timeoutMs: number;
}

/** An answer that counts what it refused may be long; what is behind this is not read. */
const MOST_ANSWER_BYTES = 256 * 1024;

export function httpPush({ url, headers, tls, timeoutMs }: HttpPushOptions): HttpPush {
  const isSecure = url.protocol === 'https:';
  const kept = { keepAlive: true, maxSockets: 1 };
  // Said, because NODE_TLS_REJECT_UNAUTHORIZED in the environment has it otherwise.
  const checked = { ...tls, minVersion: 'TLSv1.2', rejectUnauthorized: true } as const;
  const agent = isSecure ? new HttpsAgent({ ...kept, ...checked }) : new HttpAgent(kept);
  const send = isSecure ? httpsRequest : httpRequest;

  function responseTo(body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', agent, signal, headers: { ...headers, 'content-length': body.length } };
      const sent = send(url, options, resolve);
      sent.on('error', reject);
      sent.end(body);
    });
  }

  return {
    async post(body, signal) {
      const late = AbortSignal.timeout(timeoutMs);
      try {
        const response = await responseTo(body, AbortSignal.any([signal, late]));
        const { text, isCut } = await textOf(response);
        const retryAfterMs = retryAfter(response.headers['retry-after'], Date.now());
        return { status: response.statusCode ?? 0, text, isCut, retryAfterMs };
      } catch (cause) {
        const place = `pushing to ${url.origin}${url.pathname}`;
        if (late.aborted) throw sinkFailure('timeout', `${place}: no answer within ${timeoutMs} ms`, { cause });
        throw sinkFailure('unreachable', `${place}: ${wordsOf(cause)}`, { cause });
      }
    },
    close: () => agent.destroy(),
  };
}

async function textOf(response: IncomingMessage): Promise<Pick<PushAnswer, 'text' | 'isCut'>> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    size += piece.length;
    if (size > MOST_ANSWER_BYTES) break; // ends the connection too
  }
  const text = Buffer.concat(pieces).subarray(0, MOST_ANSWER_BYTES).toString('utf8');
  return { text, isCut: size > MOST_ANSWER_BYTES };
}

/** Seconds, or an HTTP date (RFC 9110, section 10.2.3). */
export function retryAfter(given: string | undefined, nowMs: number): number {
  if (given === undefined) return 0;
  const ms = /^\d{1,9}$/.test(given.trim()) ? Number(given) * 1000 : Date.parse(given) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

function wordsOf(thrown: unknown): string {
  const code = systemCodeOf(thrown);
  // Of several addresses that were tried, the message is empty.
  const words = messageOf(thrown) || 'no connection';
  return code === null || words.includes(code) ? words : `${words} (${code})`;
}
