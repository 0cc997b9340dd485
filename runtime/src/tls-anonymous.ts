/**
 * An HTTP server for other machines that have no certificate yet: the server shows its own, the client none. Whoever reaches
 * it is anybody, so it is for little: what it serves asks for a secret of its own, and its limits are narrow. An address can
 * hold few of the connections, and none for long.
 */
import { isIPv6 } from 'node:net';
import type { HttpFailure, HttpRequest, HttpRoute } from './http-route.ts';
import {
  exchangeDefaults,
  openTlsListener,
  remoteOf,
  type TlsListenerOptions,
  type TlsServer,
} from './tls-listener.ts';
import type { TlsServerFiles } from './tls-material.ts';

export interface AnonymousRequest extends HttpRequest {
  remote: string;
}

export interface AnonymousTlsOptions<T extends HttpRoute<AnonymousRequest>> extends TlsListenerOptions<T> {
  files: TlsServerFiles;
  /** Asked before anything of the body is read, also for what is not served; a failure is the answer. */
  admit?: (asked: { remote: string; path: string }) => HttpFailure | null;
  /** Of one address (of one /64 of IPv6): 8. */
  maxConnectionsPerRemote?: number;
}

const MOST_OF_ONE = 8;
const ALL = 256;
const SHORT_MS = 10_000;

/** Listening when it resolves. Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export function openAnonymousTlsServer<T extends HttpRoute<AnonymousRequest>>(
  options: AnonymousTlsOptions<T>,
): Promise<TlsServer> {
  const { files, admit } = options;
  const most = options.maxConnectionsPerRemote ?? MOST_OF_ONE;
  return openTlsListener({
    options: { maxConnections: ALL, idleMs: SHORT_MS, requestTimeoutMs: SHORT_MS, ...options },
    // Named one by one: files with an authority of clients would ask for their certificates.
    files: { certFile: files.certFile, keyFile: files.keyFile },
    exchange: {
      ...exchangeDefaults(options),
      admit: (request, { path }) => admit?.({ remote: remoteOf(request), path }) ?? null,
      handle: (route, asked, request) => route.handle(Object.assign(asked, { remote: remoteOf(request) })),
    },
    shares: { by: 'address', of: (socket) => ({ key: neighbourhoodOf(socket.remoteAddress ?? ''), most }) },
  });
}

/** One who has an address of IPv6 has the 2^64 beside it as well; IPv4 as IPv6 is IPv4. */
export function neighbourhoodOf(address: string): string {
  if (!isIPv6(address)) return address;
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  // The URL parser has the one canonical spelling; a zone is no part of it.
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, '')}]`);
  const [head = '', tail] = hostname.slice(1, -1).split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = tail === undefined ? [] : Array.from({ length: 8 - first.length - last.length }, () => '0');
  return `${[...first, ...middle, ...last].slice(0, 4).join(':')}::/64`;
}
