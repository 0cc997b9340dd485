/**
 * A small HTTP server for this machine alone: status, metrics, a live stream. It binds loopback and nothing else, answers
 * requests addressed to loopback and nothing else, and says every error as `{error: {code, message, mend}}`. It has
 * limits for everything a client can make long: headers, body, time.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EdgewardError, messageOf } from './errors.ts';
import { sendAnswer, sendFailure } from './http-answer.ts';
import {
  checkHost,
  checkToken,
  failure,
  type HttpFailure,
  type HttpRequest,
  type HttpRoute,
  isLoopback,
  matchRoute,
  parseJsonBody,
} from './http-route.ts';
import type { Logger } from './logger.ts';

export interface HttpServerOptions {
  /** A loopback address or `localhost` (which is 127.0.0.1 here). */
  host: string;
  /** 0 for any free one. */
  port: number;
  routes: readonly HttpRoute[];
  logger: Logger;
  /** 1 MiB. */
  maxBodyBytes?: number;
  /** Time for headers and body to arrive: 10 s. */
  requestTimeoutMs?: number;
  /** Time that answers under way get when the server closes: 1 s. */
  closeGraceMs?: number;
  /** The status for a coded error that a route throws; 500 without one. */
  statusOf?: (error: EdgewardError) => number;
}

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Accepts nothing more, ends streams, lets answers under way finish. */
  close(): Promise<void>;
}

/** Listening when it resolves. Throws EDW_ERR_LISTEN_ADDRESS, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const host = options.host === 'localhost' ? '127.0.0.1' : options.host;
  if (!isLoopback(host)) throw addressError(options);
  const requestTimeout = options.requestTimeoutMs ?? 10_000;
  const limits = { maxHeaderSize: 16 * 1024, headersTimeout: Math.min(5_000, requestTimeout), requestTimeout };
  const closing = new AbortController();
  const server = createServer({ ...limits, keepAliveTimeout: 5_000 }, (request, response) => {
    // A kept-alive connection whose answer ended during the close would hold it up for the whole grace.
    response.once('close', () => {
      if (closing.signal.aborted) setImmediate(() => server.closeIdleConnections());
    });
    void serve(options, closing.signal, request, response);
  });
  server.maxConnections = 512;
  await listen(server, host, options.port);
  const { port } = server.address() as AddressInfo; // a TCP server has an address once it listens
  return {
    host,
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: () => close(server, closing, options.closeGraceMs ?? 1_000),
  };
}

async function serve(
  options: HttpServerOptions,
  closing: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([closing, gone.signal]);
  try {
    const failed = await route(options, signal, request, response);
    if (failed !== null) sendFailure(response, failed);
  } catch (thrown) {
    if (gone.signal.aborted) return;
    sendFailure(response, failureOf(options, request, thrown));
  }
}

async function route(
  options: HttpServerOptions,
  signal: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<HttpFailure | null> {
  const url = parseTarget(request.url);
  const unfit = checkHost(request.headers.host) ?? (url === null ? badTarget() : null);
  if (unfit !== null || url === null) return unfit;
  const match = matchRoute(options.routes, request.method ?? 'GET', url.pathname);
  if ('error' in match) return match;
  const refused = checkToken(match.route, request.headers.authorization);
  if (refused !== null) return refused;
  const text = await readBody(request, options.maxBodyBytes ?? 1 << 20);
  if (typeof text !== 'string') return text;
  const asked: HttpRequest = {
    method: match.route.method,
    path: url.pathname,
    params: match.params,
    query: url.searchParams,
    text,
    json: () => parseJsonBody(text),
    signal,
  };
  await sendAnswer(response, await match.route.handle(asked), signal);
  return null;
}

/** The request target in origin form; whatever authority an absolute form carries is not believed. */
function parseTarget(target: string | undefined): URL | null {
  return target?.startsWith('/') ? URL.parse(`http://loopback${target}`) : null;
}

function badTarget(): HttpFailure {
  return failure(400, 'EDW_ERR_HTTP_TARGET', 'the request target is not a path', 'Request a path that begins with /.');
}

async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<string | HttpFailure> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const piece = Buffer.from(chunk);
    bytes += piece.length;
    if (bytes > maxBodyBytes) {
      const message = `the body of the request is larger than ${maxBodyBytes} bytes`;
      return failure(413, 'EDW_ERR_HTTP_BODY_TOO_LARGE', message, 'Send less at once.');
    }
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What is no coded error is a bug: the log gets all of it, the client nothing that could tell too much. */
function failureOf(options: HttpServerOptions, request: IncomingMessage, thrown: unknown): HttpFailure {
  if (thrown instanceof EdgewardError) {
    const status = thrown.code === 'EDW_ERR_HTTP_BODY' ? 400 : (options.statusOf?.(thrown) ?? 500);
    return { status, error: thrown };
  }
  const fields = { event: 'http_failed', method: request.method, path: request.url, err: thrown };
  options.logger.error(fields, messageOf(thrown));
  return failure(
    500,
    'EDW_ERR_INTERNAL',
    'the request failed inside Edgeward',
    'Look for event http_failed in its log.',
  );
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (cause) {
    throw listenError(`${host}:${port}`, cause);
  }
}

function listenError(address: string, cause: unknown): EdgewardError {
  const inUse = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
  const message = `listening on ${address}: ${messageOf(cause)}`;
  if (!inUse) {
    return new EdgewardError('EDW_ERR_LISTEN', message, { mend: 'Name another address or port.', cause });
  }
  const mend = `Stop what listens there (ss -ltnp 'sport = :${address.split(':').at(-1)}' shows it), or name another port.`;
  return new EdgewardError('EDW_ERR_PORT_IN_USE', message, { mend, cause });
}

function addressError(options: HttpServerOptions): EdgewardError {
  return new EdgewardError('EDW_ERR_LISTEN_ADDRESS', `listening on ${options.host}: it is no loopback address`, {
    mend: 'Use 127.0.0.1 or ::1; what must be reached from elsewhere goes through a proxy that ends TLS.',
  });
}

async function close(server: Server, closing: AbortController, graceMs: number): Promise<void> {
  closing.abort();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
}
