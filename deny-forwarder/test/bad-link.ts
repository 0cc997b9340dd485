/**
 * What lies between a forwarder and its collector, and is not well: a TCP proxy that cuts connections in the middle, lets
 * requests through and no answer back, or holds requests until nobody waits for them any more.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export type Fault = 'none' | 'cut' | 'no answer' | 'late' | 'closed';

export interface BadLink {
  port: number;
  /** For connections that are opened from now on; those that are open are cut. */
  become(fault: Fault): void;
}

/** How long a late request is held: longer than the forwarder waits. */
const LATE_MS = 700;

export async function badLink(t: Test, toPort: number, draw: (below: number) => number): Promise<BadLink> {
  let fault: Fault = 'none';
  const open = new Set<Socket>();
  const server = createServer((client) => {
    if (fault === 'closed') {
      client.destroy();
      return;
    }
    const target = connect(toPort, '127.0.0.1');
    for (const socket of [client, target]) {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
    }
    join(client, target, fault, draw);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cutAll = (): void => {
    for (const socket of open) socket.destroy();
  };
  t.teardown(() => {
    cutAll();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    become(next) {
      // What was late stays on its way: it arrives after what was sent again.
      if (fault !== 'late') cutAll();
      fault = next;
    },
  };
}

function join(client: Socket, target: Socket, fault: Fault, draw: (below: number) => number): void {
  // Into the handshake, the request or the answer, wherever that is.
  let left = fault === 'cut' ? 500 + draw(20_000) : Number.POSITIVE_INFINITY;
  const pass = (to: Socket, bytes: Buffer): void => {
    left -= bytes.length;
    if (left > 0) to.write(bytes);
    else for (const socket of [client, target]) socket.destroy();
  };
  let requests = 0;
  client.on('data', (bytes) => {
    requests += 1;
    if (fault === 'late' && requests > 2) setTimeout(() => pass(target, bytes), LATE_MS).unref();
    else pass(target, bytes);
  });
  let answers = 0;
  target.on('data', (bytes) => {
    answers += 1;
    // The handshake goes through.
    if (fault === 'no answer' && answers > 2) return;
    pass(client, bytes);
  });
  client.on('end', () => target.end());
  target.on('end', () => client.end());
}
