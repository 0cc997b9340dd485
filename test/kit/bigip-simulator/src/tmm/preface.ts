/**
 * The line by which a client may name another address than its own: PROXY protocol, version 1, with route domains.
 * `PROXY TCP4 10.9.9.9%2 10.0.0.1 4711 443\r\n`. Loopback has no addresses of its own worth judging; this gives it some.
 */
import { isIP } from 'node:net';

export interface Preface {
  address: string;
  port: number;
  /** Where the client meant to go: counts where the virtual server takes any address or any port. */
  toAddress: string;
  toPort: number;
}

export type PrefaceReading =
  | { state: 'read'; preface: Preface; rest: Buffer }
  | { state: 'incomplete' }
  | { state: 'none' };

const START = Buffer.from('PROXY ');
const MAX_BYTES = 232;

export function readPreface(data: Buffer): PrefaceReading {
  const start = Math.min(data.length, START.length);
  if (data.compare(START, 0, start, 0, start) !== 0) return { state: 'none' };
  const end = data.indexOf('\r\n');
  if (end === -1) return data.length < MAX_BYTES ? { state: 'incomplete' } : { state: 'none' };
  const [, kind = '', from = '', to = '', fromPort, toPort, ...more] = data.toString('latin1', 0, end).split(' ');
  if (!/^(TCP|UDP)[46]$/.test(kind) || more.length > 0 || !isAddress(from) || !isAddress(to)) return { state: 'none' };
  const port = portOf(fromPort);
  const aim = portOf(toPort);
  if (port === null || aim === null) return { state: 'none' };
  return {
    state: 'read',
    preface: { address: withoutDefault(from), port, toAddress: withoutDefault(to), toPort: aim },
    rest: data.subarray(end + 2),
  };
}

export function prefaceLine(address: string, port: number, to: string, toPort: number): string {
  return `PROXY TCP${address.includes(':') ? 6 : 4} ${address} ${to} ${port} ${toPort}\r\n`;
}

const withoutDefault = (address: string): string => address.replace(/%0$/, '');

function isAddress(text: string): boolean {
  const [bare = '', domain, ...more] = text.split('%');
  return isIP(bare) !== 0 && more.length === 0 && (domain === undefined || /^\d{1,5}$/.test(domain));
}

function portOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : null;
}
