/**
 * The HTTPS server of one unit: bounded reading, faults, the record of calls, the two families of errors and the pages in
 * front of them. Whatever arrives, it answers or cuts the connection; nothing that a client sends ends the process.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import type { FaultKind, SimulatedCall, TmosVersion } from '../simulator.ts';
import { type Answer, restFailure } from './answer.ts';
import { badRequest, writeAnswer } from './answer-writing.ts';
import { type Call, segmentsOf } from './call.ts';
import type { Dispatched } from './dispatch.ts';
import { notFoundPage, restartingPage, targetTooLongPage, timeoutPage } from './html-pages.ts';
import { readBody } from './request-body.ts';
import { busyAnswer } from './tasks.ts';

/** What stands in the way of every call while a unit starts. */
export type Readiness = 'restarting' | 'starting' | 'ready';

export interface RestServerOptions {
  host: string;
  port: number;
  key: string;
  cert: string;
  version: TmosVersion;
  logger: Logger;
  readiness(): Readiness;
  maxBodyBytes(): number;
  strike(method: string, target: string): FaultKind | null;
  expireToken(token: string): void;
  dispatch(call: Call): Promise<Dispatched>;
}

export interface RestServer {
  readonly url: string;
  calls(): SimulatedCall[];
  /** Cuts whatever is open; it goes on listening. */
  cutConnections(): void;
  close(): Promise<void>;
}

const maxTargetBytes = 8190;
const maxCallsKept = 200_000;

export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const calls: SimulatedCall[] = [];
  const sockets = new Map<string, Socket>();
  let lastOperation = 1_000_000;

  const server = openServer(options, sockets, (request, response) => {
    void serve(request, response).catch((thrown: unknown) => {
      const fields = { event: 'simulator_failed', method: request.method, path: request.url, err: thrown };
      options.logger.error(fields, messageOf(thrown));
      request.socket.destroy();
    });
  });

  function record(request: IncomingMessage, status: number, bytes: number): void {
    if (calls.length >= maxCallsKept) calls.shift();
    calls.push({ method: request.method ?? '', path: request.url ?? '', status, bytes });
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {});
    response.on('error', () => {});
    const fault = options.strike(request.method ?? '', request.url ?? '');
    if (fault === 'reset') return resetEarly(request);
    const body = await readBody(request, options.maxBodyBytes());
    if (body.state === 'cut') return record(request, 0, body.bytes);
    const early = before(request, fault) ?? (body.state === 'too-large' ? tooLarge(options.maxBodyBytes()) : null);
    if (early !== null) return send(request, response, { answer: early, userName: null }, body.bytes);
    const done = await answerTo(request, body.content);
    if (fault === 'hang' || fault === 'reset-after') {
      record(request, 0, body.bytes);
      if (fault === 'reset-after') reset(request);
      return;
    }
    send(request, response, fault === 'timeout-500' ? { answer: timeoutPage, userName: null } : done, body.bytes);
  }

  /** In the middle of the body, where there is one. */
  async function resetEarly(request: IncomingMessage): Promise<void> {
    const first = await Promise.race([once(request, 'data'), once(request, 'end').then(() => []), closed(request)]);
    record(request, 0, first[0] instanceof Buffer ? first[0].length : 0);
    reset(request);
  }

  /** What is answered without any effect. */
  function before(request: IncomingMessage, fault: FaultKind | null): Answer | null {
    const readiness = options.readiness();
    if (fault === 'restarting-503' || readiness === 'restarting') return restartingPage;
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (fault === 'uri-404' || readiness === 'starting') {
      return restFailure(404, `Public URI path not registered: ${path.replace(/^\/mgmt/, '')}`);
    }
    if (fault === 'busy-503') return busyAnswer;
    const token = request.headers['x-f5-auth-token'];
    if (fault === 'expired-401' && typeof token === 'string') options.expireToken(token);
    return fault === 'expired-401' ? restFailure(401, 'X-F5-Auth-Token has expired.') : null;
  }

  async function answerTo(request: IncomingMessage, body: Buffer): Promise<Dispatched> {
    const target = request.url ?? '/';
    if (target.length > maxTargetBytes) return { answer: targetTooLongPage, userName: null };
    const [path = '', ...query] = target.split('?');
    const segments = segmentsOf(path);
    if (segments === null) return { answer: notFoundPage, userName: null };
    return options.dispatch({
      method: request.method ?? '',
      target,
      segments,
      query: new URLSearchParams(query.join('?')),
      headers: request.headers,
      body,
      address: request.socket.remoteAddress ?? '',
    });
  }

  function send(request: IncomingMessage, response: ServerResponse, done: Dispatched, bytes: number): void {
    record(request, done.answer.status, bytes);
    lastOperation += 1;
    writeAnswer(response, done, { version: options.version, operation: lastOperation });
  }

  function reset(request: IncomingMessage): void {
    const socket = sockets.get(keyOf(request.socket));
    if (socket === undefined) request.socket.destroy();
    else socket.resetAndDestroy();
  }

  await listen(server, options.host, options.port);
  const { port } = server.address() as AddressInfo; // a TCP server has an address once it listens
  return {
    url: `https://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    calls: () => calls.map((call) => ({ ...call })),
    cutConnections: () => server.closeAllConnections(),
    async close() {
      for (const socket of sockets.values()) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function tooLarge(maxBytes: number): Answer {
  return restFailure(413, `The request body exceeds the maximum of ${maxBytes} bytes`);
}

function closed(request: IncomingMessage): Promise<unknown[]> {
  return new Promise((resolve) => request.once('close', () => resolve([])));
}

type OnRequest = (request: IncomingMessage, response: ServerResponse) => void;

/** A handshake or a request that is none ends its own connection, nothing else. */
function openServer(options: RestServerOptions, sockets: Map<string, Socket>, onRequest: OnRequest): Server {
  const { key, cert } = options;
  const server = createServer({ key, cert, maxHeaderSize: 64 * 1024, requestTimeout: 60_000 });
  server.maxConnections = 512;
  // A connection that ends just when a slow client uses it again would look like a fault that nobody injected.
  server.keepAliveTimeout = 120_000;
  server.on('connection', (socket: Socket) => {
    const name = keyOf(socket);
    sockets.set(name, socket);
    socket.once('close', () => sockets.delete(name));
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end(badRequest);
    else socket.destroy();
  });
  server.on('checkContinue', (request, response) => {
    response.writeContinue();
    onRequest(request, response);
  });
  server.on('request', onRequest);
  return server;
}

function keyOf(socket: { remoteAddress?: string | undefined; remotePort?: number | undefined }): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (cause) {
    const message = `listening on ${host}:${port}: ${messageOf(cause)}`;
    const inUse = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
    if (inUse)
      throw new EdgewardError('EDW_ERR_PORT_IN_USE', message, {
        mend: 'Stop what listens there, or name another port.',
        cause,
      });
    throw new EdgewardError('EDW_ERR_LISTEN', message, { mend: 'Name another address or port.', cause });
  }
}
