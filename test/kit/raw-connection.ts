/**
 * One TCP connection: bytes out, and all that came back until the other end closed. A reset ends it too: NGINX closes so
 * over bytes that it has not read. Bounded in time.
 */
import { connect } from 'node:net';

export interface RawConnection {
  port: number;
  bytes?: string | Uint8Array;
  /** Any address of 127.0.0.0/8. */
  localAddress?: string;
  /** Default 20 s. */
  timeoutMs?: number;
}

/** Rejects where nobody listens, and where the other end does not close in time. */
export function rawConnection({ port, bytes = '', localAddress, timeoutMs = 20_000 }: RawConnection): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...(localAddress === undefined ? {} : { localAddress }) });
    let received = '';
    const end = (failure: Error | null): void => {
      clearTimeout(timer);
      socket.destroy();
      if (failure === null) resolve(received);
      else reject(failure);
    };
    const timer = setTimeout(() => end(new Error(`not closed within ${timeoutMs} ms`)), timeoutMs);
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (piece: string) => {
      received += piece;
    });
    socket.on('error', (cause: NodeJS.ErrnoException) =>
      end(cause.code === 'ECONNRESET' || cause.code === 'EPIPE' ? null : cause),
    );
    socket.on('close', () => end(null));
  });
}
