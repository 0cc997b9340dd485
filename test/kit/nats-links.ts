/**
 * The wires between the nodes of a cluster: every node reaches every other one through a relay of its own, so that one
 * node can be cut off from the others while its clients keep it. A cut wire is closed at both ends and refuses new ones.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.ts';

export interface Links {
  /** Where node `from` finds node `to`. */
  address(from: number, to: number): string;
  cut(node: number): void;
  mend(node: number): void;
  close(): Promise<void>;
}

interface Wire {
  from: number;
  to: number;
  port: number;
  server: Server;
  sockets: Set<Socket>;
}

/** `ports` are those on which the nodes wait for one another. */
export async function openLinks(ports: readonly number[]): Promise<Links> {
  const severed = new Set<number>();
  const wires: Wire[] = [];
  for (const from of ports.keys())
    for (const [to, target] of ports.entries())
      if (from !== to)
        wires.push(await openWire({ from, to, target, isCut: () => severed.has(from) || severed.has(to) }));

  return {
    address(from, to) {
      const wire = wires.find((it) => it.from === from && it.to === to);
      return `127.0.0.1:${wire?.port ?? ports[to]}`;
    },
    cut(node) {
      severed.add(node);
      for (const wire of wires)
        if (wire.from === node || wire.to === node) for (const socket of wire.sockets) socket.destroy();
    },
    mend: (node) => void severed.delete(node),
    async close() {
      for (const { server, sockets } of wires) {
        for (const socket of sockets) socket.destroy();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
}

async function openWire(of: { from: number; to: number; target: number; isCut: () => boolean }): Promise<Wire> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    keep(near);
    if (of.isCut()) return void near.destroy();
    const far = connect(of.target, '127.0.0.1');
    keep(far);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    near.pipe(far);
    far.pipe(near);
  });
  const port = await freePort();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { from: of.from, to: of.to, port, server, sockets };
}
