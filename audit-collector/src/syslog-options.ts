/**
 * What may be listened on, and for whom. Who sends is told by the connection: one listener for each point, the addresses
 * that may connect to it, and a certificate where the connection crosses a network. What is wrong is found before anything
 * listens. Nothing crosses a network in clear.
 */
import { parseAddress, parseCidr } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';

export interface SyslogListener {
  point: string;
  /** Port 0: any free one; the status tells which. */
  listen: { host: string; port: number };
  /** Addresses and CIDRs that may connect; any other peer is closed at once and counted. */
  from: readonly string[];
  /** Mutual TLS. Without it only a loopback address is listened on. */
  tls?: SyslogTls | undefined;
  /** Connections at a time: 128. */
  maxConnections?: number | undefined;
  /** A connection that says nothing for so long is closed: 15 minutes. */
  idleTimeoutMs?: number | undefined;
  /** One that does not end a message that it began: 30 s. */
  messageTimeoutMs?: number | undefined;
}

export interface SyslogTls {
  certFile: string;
  keyFile: string;
  /** Who signs the certificates of clients; one without such a certificate is refused. */
  clientCaFile: string;
}

/** Throws EDW_ERR_SYSLOG_LISTENER, EDW_ERR_SYSLOG_CLEAR_TEXT. */
export function checkListeners(listeners: readonly SyslogListener[]): void {
  const points = new Set<string>();
  for (const listener of listeners) {
    const { point, listen, from, tls } = listener;
    if (points.has(point)) throw invalid(listener, 'the point has a listener already', 'Give each point one listener.');
    points.add(point);
    if (!Number.isInteger(listen.port) || listen.port < 0 || listen.port > 65_535) {
      throw invalid(listener, `${listen.port} is no port`, 'Name a port from 0 to 65535.');
    }
    if (from.length === 0) throw invalid(listener, '`from` is empty', 'Name the addresses that the point sends from.');
    peerFilter(listener);
    if (tls === undefined && !isLoopback(listen.host)) throw clearText(listener);
  }
}

/** Whether a peer with this address may connect. */
export function peerFilter(listener: SyslogListener): (address: string) => boolean {
  const intervals = listener.from.map((text) => {
    const interval = parseCidr(text);
    if (interval !== null && interval !== 'host-bits') return interval;
    const what = interval === null ? 'is no address or CIDR' : 'has bits set beyond its prefix';
    throw invalid(
      listener,
      `\`from\`: ${text} ${what}`,
      'Write addresses and CIDRs such as 192.0.2.4 and 192.0.2.0/28.',
    );
  });
  return (address) => {
    const key = parseAddress(address);
    return key !== null && intervals.some(({ lo, hi }) => key.length === lo.length && key >= lo && key <= hi);
  };
}

/** `localhost` may be whatever a hosts file says; here it is what it should be. */
export const hostToBind = (host: string): string => (host === 'localhost' ? '127.0.0.1' : host);

function isLoopback(host: string): boolean {
  const key = parseAddress(hostToBind(host));
  return key !== null && (key.length === 8 ? key.startsWith('7f') : key === `${'0'.repeat(31)}1`);
}

const doing = ({ point, listen }: SyslogListener): string => `listening for ${point} on ${listen.host}:${listen.port}`;

const invalid = (listener: SyslogListener, what: string, mend: string): EdgewardError =>
  new EdgewardError('EDW_ERR_SYSLOG_LISTENER', `${doing(listener)}: ${what}`, { mend });

const clearText = (listener: SyslogListener): EdgewardError =>
  new EdgewardError('EDW_ERR_SYSLOG_CLEAR_TEXT', `${doing(listener)}: without TLS only loopback is listened on`, {
    mend: 'Give this listener `tls` with certFile, keyFile and clientCaFile, or listen on 127.0.0.1 behind something that ends TLS.',
  });
