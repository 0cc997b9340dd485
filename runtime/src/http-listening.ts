/**
 * The life of a server that listens: it begins whole or not at all, and ends in order. Requests under way are told by
 * their signal, so that a long poll answers at once and a stream ends; what has not finished after the grace is cut.
 */
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { EdgewardError, messageOf } from './errors.ts';

/** Why a request is over: one reason for all of them, as making one with its stack costs more than many a request. */
const OVER = new DOMException('the client is gone, or the server closes', 'AbortError');

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** Aborted when the client is gone or the server closes. */
  signalFor(response: ServerResponse): AbortSignal;
  /** Ends every connection there is, also one that has not finished its handshake. */
  cut(): void;
  close(): Promise<void>;
}

/** Throws EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function listen(
  server: Server | TlsServer,
  host: string,
  port: number,
  graceMs: number,
): Promise<Listening> {
  // The server's own list has no connection before its handshake is done; closing waits for those as well.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  try {
    server.listen({ host, port, exclusive: true, backlog: 1024 });
    await once(server, 'listening');
  } catch (cause) {
    throw listenError(`${host}:${port}`, cause);
  }
  // One controller a request and one set of them: signals derived from one common signal are dear by the thousand.
  const open = new Set<AbortController>();
  let closing = false;
  return {
    host,
    port: (server.address() as AddressInfo).port, // a TCP server has an address once it listens
    signalFor(response) {
      const gone = new AbortController();
      open.add(gone);
      if (closing) gone.abort(OVER);
      response.once('close', () => {
        open.delete(gone);
        gone.abort(OVER);
        // A kept-alive connection whose answer ended during the close would hold it up for the whole grace.
        if (closing) setImmediate(() => server.closeIdleConnections());
      });
      return gone.signal;
    },
    cut,
    async close() {
      closing = true;
      for (const gone of [...open]) gone.abort(OVER);
      const timer = setTimeout(cut, graceMs);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      clearTimeout(timer);
    },
  };
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
