/** A TCP connection from the handshake to its end. Nothing that happens on it is thrown at anybody. */
import type { Socket } from 'node:net';
import { type ByteReader, readerOf } from './byte-reader.ts';
import type { Chain } from './chain.ts';
import { createFlow, type Flow, inRouteDomain, type Surroundings } from './flow.ts';
import { serveHttp } from './http-flow.ts';
import { type Preface, readPreface } from './preface.ts';
import { holdClientData, serveStream } from './stream-relay.ts';
import type { VirtualServer } from './virtual-server.ts';

const IDLE_MS = 300_000;
/** How long a client that says nothing may still be about to name its address. */
const PREFACE_MS = 1000;

export async function serveTcp(
  client: Socket,
  virtual: VirtualServer,
  chain: Chain,
  surroundings: Surroundings,
): Promise<void> {
  client.on('error', () => {});
  client.setNoDelay(true);
  const reader = readerOf(client);
  const preface = surroundings.preface ? await prefaceOf(client, reader) : null;
  if (client.destroyed) return;
  const flow = createFlow({ virtual, chain, surroundings, client, ...endpoints(client, virtual, preface) }, reader);
  client.setTimeout(IDLE_MS, () => flow.reset());
  await flow.fire('CLIENT_ACCEPTED');
  await holdClientData(flow);
  if (!flow.over) await serve(flow);
}

const serve = (flow: Flow): Promise<void> => (flow.virtual.http ? serveHttp(flow) : serveStream(flow));

/** Waits for the line as long as what came could be the beginning of one. */
async function prefaceOf(client: Socket, reader: ByteReader): Promise<Preface | null> {
  const late = Symbol('late');
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<typeof late>((resolve) => {
    timer = setTimeout(() => resolve(late), PREFACE_MS);
  });
  const arrived = new Promise<void>((resolve) => {
    client.once('readable', resolve);
    client.once('close', resolve);
  });
  const first = await Promise.race([arrived, patience]);
  clearTimeout(timer);
  if (first === late) return null;
  let data = Buffer.alloc(0);
  for (;;) {
    const chunk = await reader.read();
    if (chunk !== null) data = Buffer.concat([data, chunk]);
    const reading = readPreface(data);
    if (reading.state === 'incomplete' && chunk !== null) continue;
    reader.unread(reading.state === 'read' ? reading.rest : data);
    return reading.state === 'read' ? reading.preface : null;
  }
}

export function endpoints(
  socket: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>,
  { address, port, routeDomain }: VirtualServer,
  preface: Preface | null,
): Pick<Flow, 'from' | 'to'> {
  const near = inRouteDomain(preface?.toAddress ?? socket.localAddress ?? '', routeDomain);
  return {
    from: {
      address: preface?.address ?? inRouteDomain(socket.remoteAddress ?? '', routeDomain),
      port: preface?.port ?? socket.remotePort ?? 0,
    },
    to: { address: address ?? near, port: port === 0 ? (preface?.toPort ?? socket.localPort ?? 0) : port },
  };
}
