/**
 * One kept HTTP/1.1 connection from one source address, one request at a time. Small, so that the measuring costs little:
 * it reads a status and a length, and refuses any answer without them.
 */
import { connect, type Socket } from 'node:net';

export interface Connection {
  /** Sends the bytes of a whole request; answers the status. */
  ask(request: string): Promise<number>;
  close(): void;
}

/** `localAddress`: any of 127.0.0.0/8. */
export function openConnection(port: number, localAddress: string): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(connectionOn(socket));
    });
  });
}

export function getRequest(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n\r\n`;
}

interface Waiting {
  resolve(status: number): void;
  reject(cause: Error): void;
}

function connectionOn(socket: Socket): Connection {
  let waiting: Waiting | null = null;
  let seen = '';
  const fail = (cause: Error): void => {
    waiting?.reject(cause);
    waiting = null;
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('NGINX closed a connection that was to be kept')));
  socket.on('data', (piece) => {
    seen += piece.toString('latin1');
    const status = wholeAnswer(seen);
    if (status === null) return;
    seen = '';
    const { resolve } = waiting ?? { resolve: () => {} };
    waiting = null;
    resolve(status);
  });
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        if (socket.destroyed) fail(new Error('the connection is closed'));
        else socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

/** null: more is to come. */
function wholeAnswer(text: string): number | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end + 2));
  if (length === null) throw new Error(`an answer without a length: ${text.slice(0, 80)}`);
  return text.length < end + 4 + Number(length[1]) ? null : Number(text.slice(9, 12));
}
