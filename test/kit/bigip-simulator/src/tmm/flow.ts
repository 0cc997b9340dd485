/**
 * One connection of a client, with what rules know of it and may do to it. How it ends is decided once: by a reset, by
 * silence (nothing is sent any more, as if the packets were lost), or by closing.
 */
import type { Socket } from 'node:net';
import type { Balancing } from './balancing.ts';
import { type ByteReader, readerOf, reset, write } from './byte-reader.ts';
import type { Chain, EventSource } from './chain.ts';
import { nothing, type Outcome, type Side, type Target } from './outcome.ts';
import type { Facts } from './tcl-session.ts';
import type { VirtualServer } from './virtual-server.ts';

/** What all connections of a unit share. */
export interface Surroundings {
  balancing: Balancing;
  preface: boolean;
  listener(virtual: string): { host: string; port: number } | null;
  log(level: string, text: string): void;
}

interface Endpoint {
  address: string;
  port: number;
}

export interface Upstream {
  socket: Socket;
  reader: ByteReader;
}

export interface Flow {
  readonly virtual: VirtualServer;
  readonly surroundings: Surroundings;
  readonly client: Socket;
  readonly reader: ByteReader;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly over: boolean;
  upstream: Upstream | null;
  target: Target | null;
  snat: string | null;
  /** Bytes that TCP::collect waits for, while it does. */
  collecting: Partial<Record<Side, number>>;
  handles(event: string): boolean;
  /** Runs the handlers, and does what they want that is no matter of HTTP. */
  fire(event: string, facts?: Facts): Promise<Outcome>;
  reset(): void;
  /** Everything that was written still leaves. */
  close(): void;
}

export interface FlowOptions {
  virtual: VirtualServer;
  chain: Chain;
  surroundings: Surroundings;
  client: Socket;
  from: Endpoint;
  to: Endpoint;
}

const SILENCE_MS = 60_000;

/** No rule handles anything: tclsh need not know of this connection. */
const UNHEARD: EventSource = { handles: () => false, fire: () => Promise.resolve(nothing()), close: () => {} };

export function createFlow(options: FlowOptions, reader: ByteReader = readerOf(options.client)): Flow {
  const { virtual, chain, surroundings, client, from, to } = options;
  const source = chain.handlesAny ? chain.open(from.port, factsOf(options)) : UNHEARD;
  let over = false;
  const end = (how: () => void): void => {
    if (over) return;
    over = true;
    how();
    flow.upstream?.socket.destroy();
  };
  const flow: Flow = {
    virtual,
    surroundings,
    client,
    reader,
    from,
    to,
    get over() {
      return over;
    },
    upstream: null,
    target: null,
    snat: null,
    collecting: {},
    handles: source.handles,
    async fire(event, facts) {
      const outcome = await source.fire(event, facts);
      await settle(flow, outcome);
      if (outcome.end === 'reset') flow.reset();
      if (outcome.end === 'silence') end(() => keepSilent(client));
      return outcome;
    },
    reset: () => end(() => reset(client)),
    close: () => end(() => client.destroySoon()),
  };
  client.on('close', () => {
    end(() => {});
    void closeSource(source);
  });
  return flow;
}

async function closeSource(source: EventSource): Promise<void> {
  await source.fire('CLIENT_CLOSED');
  source.close();
}

async function settle(flow: Flow, outcome: Outcome): Promise<void> {
  if (outcome.target !== null) flow.target = outcome.target;
  if (outcome.snat !== null) flow.snat = outcome.snat;
  for (const side of ['client', 'server'] as const) {
    const bytes = outcome.collect[side];
    if (bytes !== undefined) flow.collecting[side] = bytes;
  }
  const socketOf = (side: Side): Socket | undefined => (side === 'client' ? flow.client : flow.upstream?.socket);
  for (const { side, data } of outcome.respond) {
    const socket = socketOf(side);
    if (socket !== undefined) await write(socket, data);
  }
  for (const side of outcome.close) socketOf(side)?.end();
}

/** The client notices nothing until it gives up. */
function keepSilent(client: Socket): void {
  client.setTimeout(SILENCE_MS, () => client.destroy());
  client.on('end', () => client.destroy());
  client.removeAllListeners('readable');
  setImmediate(() => client.resume());
}

function factsOf({ virtual, from, to }: FlowOptions): Facts {
  return {
    protocol: virtual.protocol,
    client_addr: from.address,
    client_port: from.port,
    local_addr: to.address,
    local_port: to.port,
    pool: virtual.pool ?? '',
  };
}

/** An address in the route domain of a virtual server. */
export function inRouteDomain(address: string, routeDomain: number): string {
  return routeDomain === 0 ? address : `${address}%${routeDomain}`;
}
