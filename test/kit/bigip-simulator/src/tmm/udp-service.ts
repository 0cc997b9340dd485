/**
 * UDP: a flow for each address and port of a client, as long as it is not idle. CLIENT_ACCEPTED comes once a flow,
 * CLIENT_DATA with each datagram. A flow that is refused is forgotten at once, so its next datagram begins another.
 * A refused client hears nothing: the ICMP message of a real box is not sent.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type Member, memberAt } from './balancing.ts';
import type { Chain, EventSource } from './chain.ts';
import { inRouteDomain, type Surroundings } from './flow.ts';
import { nothing, type Outcome, type Target } from './outcome.ts';
import { type Preface, readPreface } from './preface.ts';
import type { Facts } from './tcl-session.ts';
import { endpoints } from './tcp-service.ts';
import type { VirtualServer } from './virtual-server.ts';

export interface UdpService {
  receive(data: Buffer, from: RemoteInfo): void;
  close(): void;
}

export interface UdpServiceOptions {
  socket: Socket;
  current(): { virtual: VirtualServer; chain: Chain | null };
  surroundings: Surroundings;
}

interface UdpFlow {
  receive(data: Buffer): void;
  close(): void;
}

const IDLE_MS = 60_000;
const MAX_WAITING = 256;
const MAX_FLOWS = 65_536;

export function createUdpService({ socket, current, surroundings }: UdpServiceOptions): UdpService {
  const flows = new Map<string, UdpFlow>();
  return {
    receive(datagram, client) {
      const { preface, data } = opened(datagram, surroundings.preface);
      const key = `${client.address} ${client.port} ${preface?.address ?? ''} ${preface?.port ?? ''}`;
      const known = flows.get(key);
      if (known !== undefined) return known.receive(data);
      const { virtual, chain } = current();
      if (chain === null || flows.size >= MAX_FLOWS) return;
      const reply = (answer: Buffer): void => socket.send(answer, client.port, client.address, () => {});
      const flow = createUdpFlow({ virtual, chain, surroundings, preface, client, socket, reply }, () =>
        flows.delete(key),
      );
      flows.set(key, flow);
      flow.receive(data);
    },
    close() {
      for (const flow of [...flows.values()]) flow.close();
    },
  };
}

function opened(data: Buffer, allowed: boolean): { preface: Preface | null; data: Buffer } {
  const reading = allowed ? readPreface(data) : { state: 'none' as const };
  return reading.state === 'read' ? { preface: reading.preface, data: reading.rest } : { preface: null, data };
}

interface UdpFlowOptions {
  virtual: VirtualServer;
  chain: Chain;
  surroundings: Surroundings;
  preface: Preface | null;
  client: RemoteInfo;
  socket: Socket;
  reply(data: Buffer): void;
}

function createUdpFlow(options: UdpFlowOptions, onEnd: () => void): UdpFlow {
  const { virtual, chain, reply } = options;
  const source = chain.handlesAny ? chain.open(options.client.port, factsOf(options)) : null;
  let upstream: Socket | null = null;
  let target: Target | null = null;
  let over = false;
  let waiting = 0;
  const timer = setTimeout(() => close(), IDLE_MS);

  const close = (): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    upstream?.close();
    onEnd();
    void source?.fire('CLIENT_CLOSED').then(() => source.close());
  };
  const fire = async (event: string, facts?: Facts): Promise<Outcome> => {
    const outcome = await (source as EventSource | null)?.fire(event, facts);
    if (outcome === undefined) return nothing();
    target = outcome.target ?? target;
    for (const { side, data } of outcome.respond) if (side === 'client') reply(Buffer.from(data, 'latin1'));
    if (outcome.end !== null || outcome.close.length > 0) close();
    return outcome;
  };
  const toServer = async (data: Buffer): Promise<void> => {
    if (upstream === null) {
      const member = memberOf(virtual, target, options.surroundings);
      upstream = member === null ? null : await connected(member, reply);
      if (upstream === null || over) return close();
      await fire('SERVER_CONNECTED', { server_addr: member?.address ?? '', server_port: member?.port ?? 0 });
    }
    if (!over) upstream.send(data, () => {});
  };
  const handle = async (data: Buffer): Promise<void> => {
    if (over) return;
    timer.refresh();
    const outcome = await fire('CLIENT_DATA', { payload: data.toString('latin1') });
    const payload = outcome.payload.client;
    if (!over && !outcome.dropDatagram) await toServer(payload === undefined ? data : Buffer.from(payload, 'latin1'));
  };
  let before: Promise<unknown> = fire('CLIENT_ACCEPTED');
  return {
    receive(data) {
      if (waiting >= MAX_WAITING) return;
      waiting++;
      before = before.then(() => handle(data)).finally(() => waiting--);
    },
    close,
  };
}

function memberOf({ pool }: VirtualServer, target: Target | null, { balancing }: Surroundings): Member | null {
  if (target?.kind === 'pool')
    return target.member === null ? balancing.pick(target.pool) : memberAt(target.member.address, target.member.port);
  if (target?.kind === 'node') return memberAt(target.address, target.port);
  return target !== null || pool === null ? null : balancing.pick(pool);
}

function connected({ host, port }: Member, reply: (data: Buffer) => void): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    socket.on('error', () => resolve(null));
    socket.on('message', (data: Buffer) => reply(data));
    socket.connect(port, host, () => resolve(socket));
  });
}

function factsOf({ virtual, preface, client, socket }: UdpFlowOptions): Facts {
  const near = socket.address();
  const { from, to } = endpoints(
    { remoteAddress: client.address, remotePort: client.port, localAddress: near.address, localPort: near.port },
    virtual,
    preface,
  );
  return {
    protocol: 'udp',
    client_addr: preface === null ? inRouteDomain(client.address, virtual.routeDomain) : from.address,
    client_port: from.port,
    local_addr: to.address,
    local_port: to.port,
    pool: virtual.pool ?? '',
  };
}
