/**
 * Where virtual servers listen: at their own destination when that is in 127.0.0.0/8 and free, else at a free port of
 * 127.0.0.1. A virtual server that changes keeps its place and its open connections as long as the destination stays.
 */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { reset } from './byte-reader.ts';
import type { Chain } from './chain.ts';
import type { Surroundings } from './flow.ts';
import { serveTcp } from './tcp-service.ts';
import { createUdpService } from './udp-service.ts';
import type { VirtualServer } from './virtual-server.ts';

export interface Service {
  virtual: VirtualServer;
  /** Null: its rules could not be loaded, and whoever comes is reset. */
  chain: Chain | null;
}

interface Place {
  host: string;
  port: number;
}

export interface Listeners {
  /** These and no others; settles when all of them listen. */
  apply(services: ReadonlyMap<string, Service>): Promise<void>;
  at(virtual: string): Place | null;
  /** Ends every connection with a reset, and listens on. */
  resetAll(): void;
}

interface Listener {
  key: string;
  place: Place;
  service: Service;
  reset(): void;
  close(): Promise<void>;
}

export function createListeners(surroundings: Surroundings): Listeners {
  const listeners = new Map<string, Listener>();
  return {
    async apply(services) {
      for (const [name, listener] of [...listeners]) {
        const service = services.get(name);
        if (service !== undefined && keyOf(service.virtual) === listener.key) continue;
        listeners.delete(name);
        await listener.close();
      }
      for (const [name, service] of services) {
        const listener = listeners.get(name);
        if (listener === undefined) listeners.set(name, await listen(service, surroundings));
        else listener.service = service;
      }
    },
    at: (virtual) => listeners.get(virtual)?.place ?? null,
    resetAll() {
      for (const listener of listeners.values()) listener.reset();
    },
  };
}

const keyOf = ({ protocol, host, port }: VirtualServer): string => `${protocol} ${host} ${port}`;

async function listen(service: Service, surroundings: Surroundings): Promise<Listener> {
  const { protocol, host, port } = service.virtual;
  const open = protocol === 'udp' ? listenUdp : listenTcp;
  const own = /^127\./.test(host) ? await open(service, { host, port }, surroundings) : null;
  return own ?? (await open(service, { host: '127.0.0.1', port: 0 }, surroundings)) ?? nowhere(service);
}

async function listenTcp(service: Service, wanted: Place, surroundings: Surroundings): Promise<Listener | null> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ ...wanted, backlog: 4096 }, () => resolve(true));
  });
  if (!listening) return null;
  const address = server.address();
  const place = {
    host: wanted.host,
    port: address !== null && typeof address === 'object' ? address.port : wanted.port,
  };
  const resetAll = (): void => {
    for (const socket of sockets) reset(socket);
  };
  const listener: Listener = {
    key: keyOf(service.virtual),
    place,
    service,
    reset: resetAll,
    close() {
      resetAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  server.on('error', () => {});
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const { virtual, chain } = listener.service;
    if (chain === null) return reset(socket);
    serveTcp(socket, virtual, chain, surroundings).catch((error: unknown) => {
      surroundings.log('err', `simulator: ${error instanceof Error ? error.stack : String(error)}`);
      reset(socket);
    });
  });
  return listener;
}

async function listenUdp(service: Service, wanted: Place, surroundings: Surroundings): Promise<Listener | null> {
  const socket = createSocket('udp4');
  const listening = await new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false));
    socket.bind(wanted.port, wanted.host, () => resolve(true));
  });
  if (!listening) return null;
  const current = (): Service => listener.service;
  const udp = createUdpService({ socket, current, surroundings });
  socket.on('error', () => {});
  socket.on('message', (data, from) => udp.receive(data, from));
  const listener: Listener = {
    key: keyOf(service.virtual),
    place: { host: wanted.host, port: socket.address().port },
    service,
    reset: () => udp.close(),
    close() {
      udp.close();
      return new Promise((resolve) => socket.close(() => resolve()));
    },
  };
  return listener;
}

/** Not one port is free. */
function nowhere(service: Service): Listener {
  const place = { host: '127.0.0.1', port: 0 };
  return { key: '', place, service, reset: () => {}, close: () => Promise.resolve() };
}
