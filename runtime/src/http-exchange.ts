/**
 * One request, from its head to its answer, the same for every server of ours: the target, the route, whoever may ask,
 * the body within its limit, the answer or a coded failure. Who may ask is the server's own business.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { EdgewardError, messageOf } from './errors.ts';
import { sendAnswer, sendFailure } from './http-answer.ts';
import {
  failure,
  type HttpAnswer,
  type HttpFailure,
  type HttpRequest,
  matchRoute,
  parseJsonBody,
} from './http-route.ts';
import type { Logger } from './logger.ts';

/** What is known before the body is read. */
interface Asked<T> {
  method: string;
  /** Without the query. */
  path: string;
  /** Null where nothing is served. */
  route: T | null;
  params: Record<string, string>;
}

export interface ExchangeRoute {
  method: string;
  path: string;
  maxBodyBytes?: number;
}

export interface Exchange<T extends ExchangeRoute> {
  routes: readonly T[];
  logger: Logger;
  maxBodyBytes: number;
  /** The status for a coded error that a route throws; 500 without one. */
  statusOf: ((error: EdgewardError) => number) | undefined;
  /** Asked before anything of the body is read, also for what is not served; a failure is the answer. */
  admit(request: IncomingMessage, asked: Asked<T>): HttpFailure | null | Promise<HttpFailure | null>;
  handle(route: T, asked: HttpRequest, request: IncomingMessage): HttpAnswer | Promise<HttpAnswer>;
  /** Whether answers may be compressed. */
  compress: boolean;
  /** Told of every failure before it is sent. */
  onFailure?: ((request: IncomingMessage, asked: Asked<T> | null, failed: HttpFailure) => Promise<void>) | undefined;
  /** Told of every request once it is over, also when its client left. */
  onOver?: ((request: IncomingMessage) => void) | undefined;
}

export async function serveExchange<T extends ExchangeRoute>(
  exchange: Exchange<T>,
  signal: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let asked: Asked<T> | null = null;
  try {
    const url = parseTarget(request.url);
    if (url === null) throw badTarget();
    const match = matchRoute(exchange.routes, request.method ?? 'GET', url.pathname);
    const found = 'error' in match ? { route: null, params: {} } : match;
    asked = { method: request.method ?? 'GET', path: url.pathname, ...found };
    const refused = await exchange.admit(request, asked);
    if (refused !== null) throw refused;
    if ('error' in match) throw match;
    const bytes = await readBody(request, match.route.maxBodyBytes ?? exchange.maxBodyBytes);
    const answer = await exchange.handle(match.route, requestOf(request, url, match.params, bytes, signal), request);
    await sendAnswer(request, response, answer, { signal, compress: exchange.compress });
  } catch (thrown) {
    // A client that left in the middle is no failure; one that was refused and left was refused.
    if ((response.closed || request.socket.destroyed) && !isCoded(thrown)) return;
    await fail(exchange, request, response, asked, failureOf(exchange, request, thrown));
  } finally {
    exchange.onOver?.(request);
  }
}

const NO_BYTES = Buffer.alloc(0);

async function fail<T extends ExchangeRoute>(
  exchange: Exchange<T>,
  request: IncomingMessage,
  response: ServerResponse,
  asked: Asked<T> | null,
  failed: HttpFailure,
): Promise<void> {
  try {
    await exchange.onFailure?.(request, asked, failed);
    sendFailure(response, failed);
  } catch (thrown) {
    sendFailure(response, failureOf(exchange, request, thrown));
  }
}

function requestOf(
  request: IncomingMessage,
  url: URL,
  params: Record<string, string>,
  bytes: Buffer,
  signal: AbortSignal,
): HttpRequest {
  let text: string | undefined;
  const decoded = (): string => {
    text ??= bytes.toString('utf8');
    return text;
  };
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    params,
    query: url.searchParams,
    headers: request.headers,
    bytes,
    get text() {
      return decoded();
    },
    json: () => parseJsonBody(decoded()),
    signal,
  };
}

/** The request target in origin form; whatever authority an absolute form carries is not believed. */
function parseTarget(target: string | undefined): URL | null {
  return target?.startsWith('/') ? URL.parse(`http://loopback${target}`) : null;
}

function badTarget(): HttpFailure {
  return failure(400, 'EDW_ERR_HTTP_TARGET', 'the request target is not a path', 'Request a path that begins with /.');
}

/** What is announced as too large is refused before it comes. */
async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<Buffer> {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (Number(length ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  // Without either there is no body (RFC 9112, section 6.3); to iterate over none takes as long as the rest of a request.
  if (coding === undefined && Number(length ?? 0) === 0) return NO_BYTES;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isSettled = false;
    const settle = (how: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      request.off('data', take);
      how();
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= maxBodyBytes) return;
      // Not destroyed: that would take its answer along.
      request.pause();
      settle(() => reject(tooLarge(maxBodyBytes)));
    };
    // Whoever left while it was asked whether they may has said so already.
    if (request.destroyed) return reject(new Error('the client left before its body'));
    request.on('data', take);
    // Joined pieces lie in a pool, of which a long poll would keep 64 KiB as long as it waits; most bodies come in one.
    const whole = (): Buffer => (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
    request.once('end', () => settle(() => resolve(whole())));
    request.once('error', (thrown) => settle(() => reject(thrown)));
    request.once('close', () => settle(() => reject(new Error('the request ended before its body'))));
  });
}

function tooLarge(maxBodyBytes: number): HttpFailure {
  const message = `the body of the request is larger than ${maxBodyBytes} bytes`;
  return failure(413, 'EDW_ERR_HTTP_BODY_TOO_LARGE', message, 'Send less at once.');
}

/** What is no coded error is a bug: the log gets all of it, the client nothing that could tell too much. */
function failureOf<T extends ExchangeRoute>(
  exchange: Exchange<T>,
  request: IncomingMessage,
  thrown: unknown,
): HttpFailure {
  if (isFailure(thrown)) return thrown;
  if (thrown instanceof EdgewardError) {
    const status = thrown.code === 'EDW_ERR_HTTP_BODY' ? 400 : (exchange.statusOf?.(thrown) ?? 500);
    return { status, error: thrown, ...retryAfter(thrown) };
  }
  const fields = { event: 'http_failed', method: request.method, path: request.url, err: thrown };
  exchange.logger.error(fields, messageOf(thrown));
  return failure(
    500,
    'EDW_ERR_INTERNAL',
    'the request failed inside Edgeward',
    'Look for event http_failed in its log.',
  );
}

/** In whole seconds (RFC 9110, section 10.2.3), never sooner than was said. */
function retryAfter({ retryAfterMs }: EdgewardError): Pick<HttpFailure, 'headers'> {
  return retryAfterMs === undefined ? {} : { headers: { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) } };
}

function isCoded(thrown: unknown): boolean {
  return isFailure(thrown) || thrown instanceof EdgewardError;
}

function isFailure(thrown: unknown): thrown is HttpFailure {
  return (
    typeof thrown === 'object' && thrown !== null && 'error' in thrown && 'status' in thrown && !('stack' in thrown)
  );
}
