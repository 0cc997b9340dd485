/**
 * What every TLS server of ours has, whether or not its clients show a certificate: files that are read again, limits for
 * whatever a client can make long or many, and an end in order. Who may ask is not known here.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { type Clock, systemClock } from './clock.ts';
import { type EdgewardError, messageOf } from './errors.ts';
import { type Exchange, type ExchangeRoute, serveExchange } from './http-exchange.ts';
import { type Listening, listen } from './http-listening.ts';
import type { HttpRoute } from './http-route.ts';
import type { Logger } from './logger.ts';
import { repeatedly } from './repetition.ts';
import { readTlsMaterial, type TlsFiles, type TlsMaterial, type TlsServerFiles, tlsSignature } from './tls-material.ts';

/** The same for every TLS server. */
export interface TlsListenerOptions<T> {
  /** Any address of this machine. */
  host: string;
  /** 0 for any free one. */
  port: number;
  routes: readonly T[];
  logger: Logger;
  clock?: Clock;
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
  /** Time that answers under way get when the server closes: 2 s. */
  closeGraceMs?: number;
  /** The oldest that is spoken: TLSv1.2. */
  minVersion?: 'TLSv1.2' | 'TLSv1.3';
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

export interface TlsListener<T extends ExchangeRoute> {
  options: TlsListenerOptions<unknown>;
  files: TlsServerFiles | TlsFiles;
  exchange: Exchange<T>;
  /**
   * Whose a connection is, and how many they may have: told by the certificate, once there is one, or by the address, before
   * any handshake.
   */
  shares: { by: 'certificate' | 'address'; of(socket: Socket): { key: string; most: number } };
}

/** Listening when it resolves. Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function openTlsListener<T extends ExchangeRoute>(listener: TlsListener<T>): Promise<TlsServer> {
  const { options, files, exchange } = listener;
  const { clock = systemClock, logger } = options;
  let signature = await tlsSignature(files);
  let material = await readTlsMaterial(files);
  let listening: Listening | null = null;
  const server = createServer({ ...limitsOf(options), ...tlsOf(material, options) }, (request, response) => {
    if (listening === null) response.destroy();
    else void serveExchange(exchange, listening.signalFor(response), request, response);
  });
  const connections = boundConnections(server, listener);
  listening = await listen(server, options.host, options.port, options.closeGraceMs ?? 2_000);

  async function reload(): Promise<void> {
    const now = await tlsSignature(files);
    if (now === signature) return;
    const next = await readTlsMaterial(files);
    server.setSecureContext(tlsOf(next, options));
    if (next.ca !== material.ca) listening?.cut();
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

/** What any exchange over TLS has in common. */
export function exchangeDefaults<T extends HttpRoute<never>>(
  options: TlsListenerOptions<T>,
): Pick<Exchange<T>, 'routes' | 'logger' | 'maxBodyBytes' | 'statusOf' | 'compress' | 'onOver'> {
  return {
    routes: options.routes,
    logger: options.logger,
    maxBodyBytes: options.maxBodyBytes ?? 64 * 1024,
    statusOf: options.statusOf,
    compress: true,
    onOver: (request) => options.onOver?.(request.headers),
  };
}

export function remoteOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? '';
}

function reloadFailed(logger: Logger, thrown: unknown): void {
  logger.error({ event: 'tls_reload_failed', err: thrown }, messageOf(thrown));
}

function tlsOf({ cert, key, ca }: TlsMaterial, { minVersion = 'TLSv1.2' }: TlsListenerOptions<unknown>): object {
  const own = { cert, key, minVersion, honorCipherOrder: true, ALPNCallback: spoken };
  return ca === null ? { ...own, requestCert: false } : { ...own, ca, requestCert: true, rejectUnauthorized: true };
}

/**
 * As Node's own list of one would have it: who offers others only is refused. A list is copied for each connection, into a
 * pool that it then keeps: 20 KiB and more of a connection that is idle.
 */
function spoken({ protocols }: { protocols: string[] }): string | undefined {
  return protocols.includes('http/1.1') ? 'http/1.1' : undefined;
}

function limitsOf(options: TlsListenerOptions<unknown>): object {
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

interface Connections {
  open(): number;
  bytesWritten(): number;
}

/** Nobody can take all connections. */
function boundConnections<T extends ExchangeRoute>(server: Server, listener: TlsListener<T>): Connections {
  const { options, shares } = listener;
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();
  let closedBytes = 0;
  server.maxConnections = options.maxConnections ?? 8_192;
  server.timeout = options.idleMs ?? 120_000;
  server.on(shares.by === 'address' ? 'connection' : 'secureConnection', (socket: Socket) => {
    const { key, most } = shares.of(socket);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      closedBytes += socket.bytesWritten;
      const left = (counts.get(key) ?? 1) - 1;
      if (left === 0) counts.delete(key);
      else counts.set(key, left);
    });
    if (count > most) socket.destroy();
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
