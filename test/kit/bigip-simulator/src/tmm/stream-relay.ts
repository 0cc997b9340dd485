/** Bytes between client and server, with what TCP::collect holds back on either side. */
import type { Socket } from 'node:net';
import { type ByteReader, write } from './byte-reader.ts';
import type { Flow } from './flow.ts';
import type { Side } from './outcome.ts';
import { upstreamOf } from './upstream.ts';

const MAX_HELD_BYTES = 16 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

/** Relays until both sides are done. */
export async function serveStream(flow: Flow): Promise<void> {
  const upstream = await upstreamOf(flow);
  if (upstream === null) return;
  await Promise.all([
    pump(flow, 'client', flow.reader, upstream.socket),
    pump(flow, 'server', upstream.reader, flow.client),
  ]);
  flow.close();
}

/** CLIENT_DATA comes before a server is chosen: what is let go is read again by whoever reads next. */
export async function holdClientData(flow: Flow): Promise<void> {
  let held: Buffer = EMPTY;
  while (flow.collecting.client !== undefined && !flow.over) {
    const chunk = await flow.reader.read();
    if (chunk === null) return flow.close();
    held = Buffer.concat([held, chunk]);
    if (held.length < flow.collecting.client) continue;
    const { free, kept } = await offer(flow, 'client', held);
    flow.reader.unread(kept);
    flow.reader.unread(free);
    if (free.length > 0) return;
    if (kept.length > 0) held = (await flow.reader.read()) ?? EMPTY;
  }
}

async function pump(flow: Flow, side: Side, from: ByteReader, to: Socket): Promise<void> {
  let held: Buffer = EMPTY;
  for (;;) {
    const chunk = await from.read();
    if (chunk === null || flow.over) break;
    const wanted = flow.collecting[side];
    if (wanted === undefined) {
      await write(to, chunk);
      continue;
    }
    held = Buffer.concat([held, chunk]);
    if (held.length < wanted) continue;
    const { free, kept } = await offer(flow, side, held);
    if (flow.over) return;
    held = kept;
    if (free.length > 0) await write(to, free);
  }
  if (!to.destroyed) to.end();
}

/** Shows the rules what is held; tells what may go on, and what is held still. */
async function offer(flow: Flow, side: Side, held: Buffer): Promise<{ free: Buffer; kept: Buffer }> {
  if (held.length > MAX_HELD_BYTES) flow.reset();
  delete flow.collecting[side];
  const outcome = await flow.fire(side === 'client' ? 'CLIENT_DATA' : 'SERVER_DATA', {
    payload: held.toString('latin1'),
  });
  const payload = outcome.payload[side];
  const data = payload === undefined ? held : Buffer.from(payload, 'latin1');
  const released = outcome.release[side];
  if (released === undefined) {
    // Neither let go nor asked for again: it stays held, and the next bytes are shown with it.
    flow.collecting[side] ??= data.length + 1;
    return { free: EMPTY, kept: data };
  }
  if (flow.collecting[side] === undefined || released < 0) return { free: data, kept: EMPTY };
  return { free: data.subarray(0, released), kept: data.subarray(released) };
}

/** Bytes both ways, unseen by any rule. */
export async function tunnel(flow: Flow): Promise<void> {
  flow.collecting = {};
  await serveStream(flow);
}
