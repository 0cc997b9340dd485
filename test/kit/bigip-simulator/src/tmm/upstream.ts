/** The server side of a connection: chosen by the rules or the pool, connected, and told about. */
import { connect, isIPv4, type Socket } from 'node:net';
import { type Member, memberAt } from './balancing.ts';
import { readerOf } from './byte-reader.ts';
import { type Flow, inRouteDomain, type Upstream } from './flow.ts';
import type { Target } from './outcome.ts';
import { prefaceLine } from './preface.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** The server of this connection, connected now if it is not yet; null after the connection was ended for lack of one. */
export async function upstreamOf(flow: Flow): Promise<Upstream | null> {
  if (flow.upstream !== null && !flow.upstream.socket.destroyed) return flow.upstream;
  const member = await chosen(flow);
  if (flow.over) return null;
  const socket = member === null ? null : await connected(member, flow);
  if (flow.over) {
    socket?.destroy();
    return null;
  }
  if (member === null || socket === null) {
    await flow.fire('LB_FAILED');
    flow.reset();
    return null;
  }
  socket.on('close', () => void flow.fire('SERVER_CLOSED'));
  flow.upstream = { socket, reader: readerOf(socket) };
  await flow.fire('SERVER_CONNECTED', { ...serverFacts(member), ...nearFacts(socket, flow) });
  return flow.over ? null : flow.upstream;
}

async function chosen(flow: Flow): Promise<Member | null> {
  const first = pick(flow, flow.target);
  if (first === null || !flow.handles('LB_SELECTED')) return first;
  const outcome = await flow.fire('LB_SELECTED', serverFacts(first));
  return outcome.target === null && !outcome.reselect ? first : pick(flow, flow.target);
}

function pick(flow: Flow, target: Target | null): Member | null {
  const { balancing, listener } = flow.surroundings;
  switch (target?.kind) {
    case 'nowhere':
      return null;
    case 'node':
      return memberAt(target.address, target.port === '' ? flow.to.port : target.port);
    case 'virtual': {
      const place = listener(target.virtual);
      return place === null ? null : { address: place.host, ...place };
    }
    case 'pool': {
      const { member, pool } = target;
      if (member === null) return balancing.pick(pool);
      const known = balancing.members(pool)?.find(({ address, port }) => {
        return address === member.address && (member.port === '' || String(port) === member.port);
      });
      return known ?? memberAt(member.address, member.port);
    }
    default:
      return flow.virtual.pool === null ? null : balancing.pick(flow.virtual.pool);
  }
}

function connected(member: Member, flow: Flow): Promise<Socket | null> {
  const snat =
    flow.snat !== null && isIPv4(flow.snat) && flow.snat.startsWith('127.') ? { localAddress: flow.snat } : {};
  return new Promise((resolve) => {
    const socket = connect({ host: member.host, port: member.port, allowHalfOpen: true, noDelay: true, ...snat });
    const fail = (): void => {
      socket.destroy();
      resolve(null);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, fail);
    socket.once('error', fail);
    flow.client.once('close', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      flow.client.off('close', fail);
      socket.on('error', () => {});
      // Another virtual server of this box is told who the client is, as it would be inside of one.
      if (flow.target?.kind === 'virtual' && flow.surroundings.preface)
        socket.write(prefaceLine(flow.from.address, flow.from.port, flow.to.address, flow.to.port));
      resolve(socket);
    });
  });
}

const serverFacts = ({ address, port }: Member): { server_addr: string; server_port: number } => ({
  server_addr: address,
  server_port: port,
});

function nearFacts(socket: Socket, flow: Flow): { near_addr: string; near_port: number } {
  return {
    near_addr: inRouteDomain(socket.localAddress ?? '', flow.virtual.routeDomain),
    near_port: socket.localPort ?? 0,
  };
}
