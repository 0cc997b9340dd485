/** A socket, read a chunk at a time and no faster than it is wanted. It never rejects: an error is an end. */
import type { Socket } from 'node:net';

export interface ByteReader {
  /** Null when nothing will come any more. */
  read(): Promise<Buffer | null>;
  /** What is read next. */
  unread(data: Buffer): void;
}

export function readerOf(socket: Socket): ByteReader {
  const returned: Buffer[] = [];
  let over = false;
  let waiting: ((chunk: Buffer | null) => void) | null = null;

  const next = (): Buffer | null => returned.pop() ?? (socket.read() as Buffer | null);
  const deliver = (): void => {
    // Nobody reads at present: an end is noticed all the same.
    if (waiting === null) return void (socket.readableLength === 0 && socket.read(0));
    const chunk = next();
    if (chunk === null && !over) return;
    const resolve = waiting;
    waiting = null;
    resolve(chunk);
  };
  const finish = (): void => {
    over = true;
    deliver();
  };
  socket.on('readable', deliver);
  socket.on('end', finish);
  socket.on('close', finish);
  return {
    read() {
      const chunk = next();
      if (chunk !== null || over) return Promise.resolve(chunk);
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    unread(data) {
      if (data.length > 0) returned.push(data);
    },
  };
}

/** Settles when the socket wants more, or is gone. */
export function write(socket: Socket, data: Buffer | string): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return Promise.resolve();
  const free = typeof data === 'string' ? socket.write(data, 'latin1') : socket.write(data);
  if (free) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off('drain', settle);
      socket.off('close', settle);
      resolve();
    };
    socket.on('drain', settle);
    socket.on('close', settle);
  });
}

/** A reset, where that is still possible: after the end was written a handle refuses it, and would never be closed. */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
