/**
 * An HTTP server for other machines: mutual TLS and nothing else. Nobody without a certificate of the named authority
 * gets as far as a request; what the certificate means is decided by the caller, who is handed the certificate itself and
 * is asked before any body is read. Certificates are read again when their files change; a new client authority closes
 * every connection, so that nobody stays in who would no longer be let in.
 */
import type { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from './clock.ts';
import type { Exchange } from './http-exchange.ts';
import { failure, type HttpFailure, type HttpRequest, type HttpRoute } from './http-route.ts';
import {
  exchangeDefaults,
  openTlsListener,
  remoteOf,
  type TlsListenerOptions,
  type TlsServer,
} from './tls-listener.ts';
import type { TlsFiles } from './tls-material.ts';

export interface TlsRequest extends HttpRequest {
  /** Of the client, verified against the authority and within its time. */
  peer: X509Certificate;
  remote: string;
}

/** What is known before the body is read. */
export interface TlsAsked<T> {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** Null where nothing is served. */
  route: T | null;
  params: Record<string, string>;
  /** Null only in a failure of a connection that showed nothing to believe. */
  peer: X509Certificate | null;
  remote: string;
}

export interface TlsServerOptions<T extends HttpRoute<TlsRequest>> extends TlsListenerOptions<T> {
  files: TlsFiles;
  /** Asked before anything of the body is read, also for what is not served; a failure is the answer. */
  admit?: (asked: TlsAsked<T> & { peer: X509Certificate }) => HttpFailure | null | Promise<HttpFailure | null>;
  /** Told of every failure before it is sent. */
  onFailure?: (asked: TlsAsked<T>, failed: HttpFailure) => Promise<void>;
  /** Of one certificate: 64. */
  maxConnectionsPerPeer?: (peer: X509Certificate) => number;
}

const MOST_OF_ONE = 64;

/** Listening when it resolves. Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export function openTlsServer<T extends HttpRoute<TlsRequest>>(options: TlsServerOptions<T>): Promise<TlsServer> {
  return openTlsListener({
    options,
    files: options.files,
    exchange: exchangeOf(options, options.clock ?? systemClock),
    shares: {
      by: 'certificate',
      of(socket) {
        const peer = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
        const most = peer === undefined ? undefined : options.maxConnectionsPerPeer?.(peer);
        return { key: peer?.fingerprint256 ?? '', most: most ?? MOST_OF_ONE };
      },
    },
  });
}

function exchangeOf<T extends HttpRoute<TlsRequest>>(options: TlsServerOptions<T>, clock: Clock): Exchange<T> {
  const { admit, onFailure } = options;
  return {
    ...exchangeDefaults(options),
    async admit(request, asked) {
      const peer = peerOf(request);
      // A connection may outlive its certificate.
      if (peer === null || peer.validToDate.getTime() <= clock.now()) return noPeer();
      return (await admit?.({ ...asked, headers: request.headers, peer, remote: remoteOf(request) })) ?? null;
    },
    handle(route, asked, request) {
      const peer = peerOf(request);
      if (peer === null) throw noPeer();
      return route.handle(Object.assign(asked, { peer, remote: remoteOf(request) }));
    },
    onFailure: async (request, asked, failed) => {
      const head = asked ?? { method: request.method ?? '', path: '', route: null, params: {} };
      await onFailure?.(
        { ...head, headers: request.headers, peer: peerOf(request), remote: remoteOf(request) },
        failed,
      );
    },
  };
}

function noPeer(): HttpFailure {
  const mend = 'Renew the client certificate, and connect again.';
  return failure(401, 'EDW_ERR_TLS_CLIENT', 'the client certificate is missing or has ended', mend);
}

const parsed = new WeakMap<TLSSocket, X509Certificate>();

/** Parsed once a connection: every request on it has the same. */
function peerOf(request: IncomingMessage): X509Certificate | null {
  const { socket } = request;
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const known = parsed.get(socket);
  if (known !== undefined) return known;
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return null;
  parsed.set(socket, peer);
  return peer;
}
