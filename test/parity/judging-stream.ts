/**
 * A real NGINX that is asked about connections: the source and the port stand in a PROXY protocol header, the object in a
 * field of it (PP2_TYPE_CUSTOM), which only this test server reads.
 */
import { type Flow, parseAddress } from '@edgeward/policy';
import { rawConnection, startEdge, type Teardown } from '@edgeward/test/kit';
import { judgingWith } from './judging.ts';
import type { CarrierKind, JudgingNginx } from './nginx-carriers.ts';

const OBJECT_FIELD = 0xe0;

export async function startJudgingStream(t: Teardown, { edition, mode }: CarrierKind): Promise<JudgingNginx> {
  const server = {
    name: 'judge',
    bind: '$proxy_protocol_tlv_0xE0',
    port: '$proxy_protocol_server_port',
    spoof: true,
  };
  const hybrid = mode === 'hybrid' ? { hybrid: { cachedCheck: false } } : {};
  const edge = await startEdge(t, { servers: [], stream: [server], workers: 1, zoneSize: '16m', edition, ...hybrid });
  return judgingWith(t, edge, mode, async (flow, bind) => {
    const answer = await rawConnection({ port: edge.ports.judge ?? 0, bytes: proxyHeader(flow, bind) });
    return { passed: answer === 'through\n', status: null, ref: undefined };
  });
}

/** https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, 2.2 */
export function proxyHeader({ from, port }: Flow, bind: string): Uint8Array {
  const source = addressBytes(from);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(40_000, 0);
  ports.writeUInt16BE(Number(port.slice('tcp/'.length)), 2);
  const object = Buffer.from(bind, 'utf8');
  const body = Buffer.concat([
    source,
    Buffer.alloc(source.length, 1),
    ports,
    Buffer.from([OBJECT_FIELD, object.length >> 8, object.length & 255]),
    object,
  ]);
  const family = source.length === 4 ? 0x11 : 0x21;
  const head = Buffer.from([0x21, family, body.length >> 8, body.length & 255]);
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), head, body]);
}

function addressBytes(from: string): Buffer {
  const key = parseAddress(from);
  if (key === null) throw new Error(`${from} is no address`);
  // One that is IPv4 in IPv6 comes as IPv6 to a listener of both.
  const mapped = key.length === 8 && from.includes(':');
  return Buffer.from(mapped ? `00000000000000000000ffff${key}` : key, 'hex');
}
