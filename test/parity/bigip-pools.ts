/** What stands behind the virtual servers: whatever reaches it was let through. */
import { createSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Teardown } from '@edgeward/test/kit';

export interface Backends {
  http: number;
  /** TCP and UDP, on one number. */
  echo: number;
}

export async function startBackends(t: Teardown): Promise<Backends> {
  const raw = createServer();
  const sockets = new Set<Socket>();
  // Answers whatever it is sent, readable or not: it is not what is tested.
  raw.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n'));
  });
  const echo = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  const http = await listening(raw);
  const port = await listening(echo);
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => udp.send(message, from.port, from.address));
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    udp.close();
    await Promise.all([raw, echo].map((server) => new Promise((resolve) => server.close(resolve))));
  });
  return { http, echo: port };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
