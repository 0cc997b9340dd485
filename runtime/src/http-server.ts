/**
 * A small HTTP server for this machine alone: status, metrics, a live stream. It binds loopback and nothing else, answers
 * requests addressed to loopback and nothing else, and says every error as `{error: {code, message, mend}}`. It has
 * limits for everything a client can make long: headers, body, time.
 */
import { createServer } from 'node:http';
import { EdgewardError } from './errors.ts';
import { type Exchange, serveExchange } from './http-exchange.ts';
import { type Listening, listen } from './http-listening.ts';
import { checkHost, checkToken, type HttpRoute, isLoopback } from './http-route.ts';
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
  const exchange = exchangeOf(options);
  let listening: Listening | null = null;
  const server = createServer({ ...limits, keepAliveTimeout: 5_000 }, (request, response) => {
    if (listening === null) response.destroy();
    else void serveExchange(exchange, listening.signalFor(response), request, response);
  });
  server.maxConnections = 512;
  listening = await listen(server, host, options.port, options.closeGraceMs ?? 1_000);
  const { port, close } = listening;
  return { host, port, url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, close };
}

function exchangeOf(options: HttpServerOptions): Exchange<HttpRoute> {
  return {
    routes: options.routes,
    logger: options.logger,
    maxBodyBytes: options.maxBodyBytes ?? 1 << 20,
    statusOf: options.statusOf,
    compress: false,
    admit: (request, { route }) =>
      checkHost(request.headers.host) ?? (route === null ? null : checkToken(route, request.headers.authorization)),
    handle: (route, asked) => route.handle(asked),
  };
}

function addressError(options: HttpServerOptions): EdgewardError {
  return new EdgewardError('EDW_ERR_LISTEN_ADDRESS', `listening on ${options.host}: it is no loopback address`, {
    mend: 'Use 127.0.0.1 or ::1; what must be reached from elsewhere goes through a proxy that ends TLS.',
  });
}
