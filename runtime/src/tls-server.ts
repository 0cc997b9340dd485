/**
 * An HTTP server for other machines: mutual TLS and nothing else. Nobody without a certificate of the named authority
 * gets as far as a request; what the certificate means is decided by the caller, who is handed the certificate itself and
 * is asked before any body is read. Certificates are read again when their files change; a new client authority closes
 * every connection, so that nobody stays in who would no longer be let in.
 */
import type { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from './clock.ts';
import { type EdgewardError, messageOf } from './errors.ts';
import { type Exchange, serveExchange } from './http-exchange.ts';
import { type Listening, listen } from './http-listening.ts';
import { failure, type HttpFailure, type HttpRequest, type HttpRoute } from './http-route.ts';
import type { Logger } from './logger.ts';
import { repeatedly } from './repetition.ts';
import { readTlsMaterial, type TlsFiles, type TlsMaterial, tlsSignature } from './tls-material.ts';

export interface TlsRequest extends HttpRequest {
  /** Of the client, verified against the authority and within its time. */
  peer: X509Certificate;
  remote: string;
}

/** What is known before the body is read. */
export interface TlsAsked<T> {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** Null where nothing is served. */
  route: T | null;
  params: Record<string, string>;
  /** Null only in a failure of a connection that showed nothing to believe. */
  peer: X509Certificate | null;
  remote: string;
}

export interface TlsServerOptions<T extends HttpRoute<TlsRequest>> {
  /** Any address of this machine. */
  host: string;
  /** 0 for any free one. */
  port: number;
  files: TlsFiles;
  routes: readonly T[];
  logger: Logger;
  clock?: Clock;
  /** Asked before anything of the body is read, also for what is not served; a failure is the answer. */
  admit?: (asked: TlsAsked<T> & { peer: X509Certificate }) => HttpFailure | null | Promise<HttpFailure | null>;
  /** Told of every failure before it is sent. */
  onFailure?: (asked: TlsAsked<T>, failed: HttpFailure) => Promise<void>;
  /**
   * Told of every request once nothing is done for it any more: answered, failed, or its client gone and the route done with
   * it. Its headers are the object that `admit` was shown.
   */
  onOver?: (headers: IncomingHttpHeaders) => void;
  /** A handshake that failed: no certificate, one of another authority, no TLS at all. */
  onHandshakeFailed?: (reason: string) => void;
  statusOf?: (error: EdgewardError) => number;
  /** 64 KiB; a route may have its own. */
  maxBodyBytes?: number;
  /** Time for headers and body to arrive: 15 s. */
  requestTimeoutMs?: number;
  /** Without a byte in either direction a connection is closed: 120 s, longer than any long poll. */
  idleMs?: number;
  /** 8,192. */
  maxConnections?: number;
  /** Of one certificate: 64. */
  maxConnectionsPerPeer?: (peer: X509Certificate) => number;
  /** Time that answers under way get when the server closes: 2 s. */
  closeGraceMs?: number;
  /** How often the certificate files are looked at: 5 s. */
  reloadMs?: number;
}

export interface TlsServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  connections(): number;
  /** Of all connections since the start, as they went out. */
  bytesWritten(): number;
  /** Looks at the certificate files now. Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, and what was in use stays. */
  reload(): Promise<void>;
  /** Accepts nothing more, ends streams and long polls, lets answers under way finish. */
  close(): Promise<void>;
}

/** Listening when it resolves. Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function openTlsServer<T extends HttpRoute<TlsRequest>>(options: TlsServerOptions<T>): Promise<TlsServer> {
  const { clock = systemClock, files, logger } = options;
  let signature = await tlsSignature(files);
  let material = await readTlsMaterial(files);
  const exchange = exchangeOf(options, clock);
  let listening: Listening | null = null;
  const server = createServer({ ...limitsOf(options), ...tlsOf(material) }, (request, response) => {
    if (listening === null) response.destroy();
    else void serveExchange(exchange, listening.signalFor(response), request, response);
  });
  const connections = boundConnections(server, options);
  listening = await listen(server, options.host, options.port, options.closeGraceMs ?? 2_000);

  async function reload(): Promise<void> {
    const now = await tlsSignature(files);
    if (now === signature) return;
    const next = await readTlsMaterial(files);
    server.setSecureContext(tlsOf(next));
    if (next.ca !== material.ca) server.closeAllConnections();
    signature = now;
    material = next;
    logger.info({ event: 'tls_reloaded', certFile: files.certFile }, 'certificates were read again');
  }

  const stop = repeatedly(clock, options.reloadMs ?? 5_000, () =>
    reload().catch((thrown) => reloadFailed(logger, thrown)),
  );
  const { host, port } = listening;
  const close = listening.close;
  return {
    host,
    port,
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    connections: connections.open,
    bytesWritten: connections.bytesWritten,
    reload,
    close() {
      stop();
      return close();
    },
  };
}

function reloadFailed(logger: Logger, thrown: unknown): void {
  logger.error({ event: 'tls_reload_failed', err: thrown }, messageOf(thrown));
}

function tlsOf({ cert, key, ca }: TlsMaterial): object {
  return { cert, key, ca, minVersion: 'TLSv1.2', requestCert: true, rejectUnauthorized: true, honorCipherOrder: true };
}

function limitsOf<T extends HttpRoute<TlsRequest>>(options: TlsServerOptions<T>): object {
  const requestTimeout = options.requestTimeoutMs ?? 15_000;
  const headersTimeout = Math.min(10_000, requestTimeout);
  return {
    maxHeaderSize: 16 * 1024,
    requestTimeout,
    headersTimeout,
    connectionsCheckingInterval: Math.min(5_000, headersTimeout),
    handshakeTimeout: Math.min(10_000, requestTimeout),
    // Longer than clients rest between two long polls; a new handshake costs more than an idle socket.
    keepAliveTimeout: 75_000,
    noDelay: true,
  };
}

function exchangeOf<T extends HttpRoute<TlsRequest>>(options: TlsServerOptions<T>, clock: Clock): Exchange<T> {
  const { admit, onFailure, onOver } = options;
  return {
    routes: options.routes,
    logger: options.logger,
    maxBodyBytes: options.maxBodyBytes ?? 64 * 1024,
    statusOf: options.statusOf,
    compress: true,
    async admit(request, asked) {
      const peer = peerOf(request);
      // A connection may outlive its certificate.
      if (peer === null || peer.validToDate.getTime() <= clock.now()) return noPeer();
      return (await admit?.({ ...asked, headers: request.headers, peer, remote: remoteOf(request) })) ?? null;
    },
    handle(route, asked, request) {
      const peer = peerOf(request);
      if (peer === null) throw noPeer();
      return route.handle(Object.assign(asked, { peer, remote: remoteOf(request) }));
    },
    onFailure: async (request, asked, failed) => {
      const head = asked ?? { method: request.method ?? '', path: '', route: null, params: {} };
      await onFailure?.(
        { ...head, headers: request.headers, peer: peerOf(request), remote: remoteOf(request) },
        failed,
      );
    },
    onOver: (request) => onOver?.(request.headers),
  };
}

function noPeer(): HttpFailure {
  const mend = 'Renew the client certificate, and connect again.';
  return failure(401, 'EDW_ERR_TLS_CLIENT', 'the client certificate is missing or has ended', mend);
}

const parsed = new WeakMap<TLSSocket, X509Certificate>();

/** Parsed once a connection: every request on it has the same. */
function peerOf(request: IncomingMessage): X509Certificate | null {
  const { socket } = request;
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const known = parsed.get(socket);
  if (known !== undefined) return known;
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return null;
  parsed.set(socket, peer);
  return peer;
}

function remoteOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? '';
}

const MOST_OF_ONE = 64;

interface Connections {
  open(): number;
  bytesWritten(): number;
}

/** One certificate can't take all connections. */
function boundConnections<T extends HttpRoute<TlsRequest>>(server: Server, options: TlsServerOptions<T>): Connections {
  const counts = new Map<string, number>();
  const sockets = new Set<TLSSocket>();
  let closedBytes = 0;
  server.maxConnections = options.maxConnections ?? 8_192;
  server.timeout = options.idleMs ?? 120_000;
  server.on('secureConnection', (socket) => {
    const peer = socket.getPeerX509Certificate();
    const print = peer?.fingerprint256 ?? '';
    const count = (counts.get(print) ?? 0) + 1;
    counts.set(print, count);
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      closedBytes += socket.bytesWritten;
      const left = (counts.get(print) ?? 1) - 1;
      if (left === 0) counts.delete(print);
      else counts.set(print, left);
    });
    const most = peer === undefined ? undefined : options.maxConnectionsPerPeer?.(peer);
    if (count > (most ?? MOST_OF_ONE)) socket.destroy();
  });
  server.on('tlsClientError', (error, socket) => {
    options.onHandshakeFailed?.(reasonOf(error));
    socket.destroy();
  });
  return {
    open: () => sockets.size,
    bytesWritten: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, closedBytes),
  };
}

/** The library's own code, which is one of few: what a client sends is in no label and no log. */
function reasonOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
  return /^[A-Z0-9_]{1,64}$/.test(code) ? code : 'unknown';
}
