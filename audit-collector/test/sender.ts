/** What a BIG-IP is to a listener: something that connects and writes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface Sender {
  socket: Socket;
  write(bytes: string | Uint8Array): void;
  /** Settles when the connection is closed, by whichever end. */
  closed: Promise<unknown>;
}

/** Connected when it resolves; refused connections count as connected and closed. Gone after the test. */
export async function senderTo(t: Test, port: number, localAddress = '127.0.0.1'): Promise<Sender> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  return sender(t, socket, 'connect');
}

export async function sender(t: Test, socket: Socket, ready: 'connect' | 'secureConnect'): Promise<Sender> {
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  // Reading is how the end of the other side is seen.
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await Promise.race([once(socket, ready).catch(() => {}), closed]);
  return { socket, write: (bytes) => void socket.write(bytes), closed };
}
