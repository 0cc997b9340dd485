/**
 * A syslog listener over TCP for one point. A peer that may not connect is closed before a byte of it is read; with TLS
 * only a client with a certificate of the named authority is heard. Connections, their buffers and the time that they may
 * idle or dawdle are bounded, and nothing is read while there is no room for it. It judges no message: whole frames go to
 * whoever made it.
 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { backoff, EdgewardError, messageOf, readSecret, systemCodeOf } from '@edgeward/runtime';
import { createSyslogConnection, type SyslogConnection } from './syslog-connection.ts';
import type { Frame } from './syslog-framing.ts';
import { hostToBind, peerFilter, type SyslogListener, type SyslogTls } from './syslog-options.ts';

/** Not allowed to connect; too many connections; no TLS, or no certificate of the authority. */
export type RefusalCause = 'peer' | 'limit' | 'tls';
/** Silent for too long; a message begun and not ended. */
export type CloseCause = 'idle' | 'slow';

export interface SyslogEvents {
  hasRoom(): boolean;
  frame(frame: Frame): void;
  refused(cause: RefusalCause, address: string, why?: unknown): void;
  closed(cause: CloseCause, address: string): void;
  failed(thrown: unknown): void;
}

export interface SyslogServer {
  /** Settles after the first attempt; goes on trying until closed. Never throws: `error` says why not. */
  start(): Promise<void>;
  /** There is room again. */
  resume(): void;
  /** null while not listening. */
  port(): number | null;
  connections(): number;
  error(): unknown;
  /** Hands out the whole frames that were read, and reads no more. */
  close(): Promise<void>;
}

const idleTimeoutMs = 15 * 60_000;
const messageTimeoutMs = 30_000;
const handshakeTimeoutMs = 10_000;
const maxConnections = 128;

export function createSyslogServer(listener: SyslogListener, events: SyslogEvents): SyslogServer {
  const mayConnect = peerFilter(listener);
  const retry = backoff({ baseMs: 250, maxMs: 30_000 });
  /** Accepted, also those that are still at their handshake. */
  const accepted = new Set<Socket>();
  const connections = new Map<SyslogConnection, string>();
  const limits = {
    idleTimeoutMs: listener.idleTimeoutMs ?? idleTimeoutMs,
    messageTimeoutMs: listener.messageTimeoutMs ?? messageTimeoutMs,
  };
  let server: Server | null = null;
  let error: unknown = null;
  let retryTimer: NodeJS.Timeout | undefined;
  let sweepTimer: NodeJS.Timeout | undefined;
  let closed = false;

  function serve(socket: Socket): void {
    if (closed) return void socket.destroy();
    socket.setKeepAlive(true, 60_000);
    const connection = createSyslogConnection(socket, {
      hasRoom: events.hasRoom,
      frame: events.frame,
      ended: () => connections.delete(connection),
    });
    connections.set(connection, socket.remoteAddress ?? '');
  }

  function accept(socket: Socket, handOver: (socket: Socket) => void): void {
    const address = socket.remoteAddress ?? '';
    // A peer that is gone already, or that resets, is no news of its own.
    socket.on('error', () => {});
    const limit = listener.maxConnections ?? maxConnections;
    const cause = mayConnect(address) ? (accepted.size < limit ? null : 'limit') : 'peer';
    if (cause !== null) {
      socket.destroy();
      events.refused(cause, address);
      return;
    }
    accepted.add(socket);
    socket.once('close', () => accepted.delete(socket));
    handOver(socket);
  }

  async function open(): Promise<void> {
    const tls = listener.tls === undefined ? null : await tlsServer(listener, listener.tls);
    tls?.on('secureConnection', serve);
    tls?.on('tlsClientError', (why, socket) => {
      events.refused('tls', socket.remoteAddress ?? '', why);
      socket.destroy();
    });
    const opened = createServer({ noDelay: true }, (socket) =>
      accept(socket, tls === null ? serve : (raw) => tls.emit('connection', raw)),
    );
    await listen(opened, listener);
    if (closed) return void opened.close();
    opened.on('error', (thrown) => events.failed(thrown));
    server = opened;
  }

  async function attempt(): Promise<void> {
    try {
      await open();
      error = null;
    } catch (thrown) {
      error = thrown;
      events.failed(thrown);
      if (!closed) retryTimer = setTimeout(attempt, retry.nextMs() + 250);
    }
  }

  function sweep(): void {
    const nowMs = performance.now();
    for (const [connection, address] of connections) {
      const cause = connection.sweep(nowMs, limits);
      if (cause !== null) events.closed(cause, address);
    }
  }

  return {
    async start() {
      const everyMs = Math.max(10, Math.min(limits.idleTimeoutMs, limits.messageTimeoutMs) / 4);
      sweepTimer = setInterval(sweep, everyMs);
      await attempt();
    },
    resume() {
      for (const connection of [...connections.keys()]) connection.drain();
    },
    port: () => (server?.address() as AddressInfo | null)?.port ?? null,
    connections: () => accepted.size,
    error: () => error,
    async close() {
      closed = true;
      clearTimeout(retryTimer);
      clearInterval(sweepTimer);
      for (const connection of [...connections.keys()]) connection.close();
      for (const socket of accepted) socket.destroy();
      const closing = server;
      server = null;
      if (closing !== null) await new Promise<void>((resolve) => closing.close(() => resolve()));
    },
  };
}

async function listen(server: Server, { point, listen }: SyslogListener): Promise<void> {
  const address = `${listen.host}:${listen.port}`;
  try {
    server.listen({ host: hostToBind(listen.host), port: listen.port, exclusive: true });
    await once(server, 'listening');
  } catch (cause) {
    const message = `listening for ${point} on ${address}: ${messageOf(cause)}`;
    if (systemCodeOf(cause) !== 'EADDRINUSE') {
      throw new EdgewardError('EDW_ERR_LISTEN', message, { mend: 'Name another address or port.', cause });
    }
    const mend = `Stop what listens there (ss -ltnp 'sport = :${listen.port}' shows it), or name another port.`;
    throw new EdgewardError('EDW_ERR_PORT_IN_USE', message, { mend, cause });
  }
}

/** It only speaks TLS: what accepts connections hands them to it. Files are read at each attempt, so that a mend is seen. */
async function tlsServer({ point }: SyslogListener, files: SyslogTls): Promise<TlsServer> {
  const { certFile, keyFile, clientCaFile } = files;
  const key = await readSecret(keyFile);
  try {
    const [cert, ca] = await Promise.all([readFile(certFile), readFile(clientCaFile)]);
    // A file without any certificate is taken as an authority that signed nobody's: every client would be refused.
    new X509Certificate(ca);
    return createTlsServer({
      key,
      cert,
      ca,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeTimeoutMs,
    });
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_SYSLOG_TLS', `TLS of the listener for ${point}: ${messageOf(cause)}`, {
      mend: 'Check certFile, keyFile and clientCaFile of this listener: PEM files, the key being that of the certificate.',
      cause,
    });
  }
}
