import type { X509Certificate } from 'node:crypto';
import {
  type Clock,
  createRateLimit,
  EdgewardError,
  type HttpFailure,
  type Logger,
  openTlsServer,
  type TlsFiles,
  type TlsServer,
} from '@edgeward/runtime';
import { pointOf } from './host-identity.ts';
import { type HostRoute, hostStatusOf } from './routes.ts';

/**
 * Where hosts call: mutual TLS, one identity a host. A certificate of the right authority is not enough: at each request
 * somebody is asked who that is, and whether he may still come. Everyone is kept to a rate, and whatever is refused is
 * counted by its code.
 */
export interface HostListener {
  url: string;
  port: number;
  counts(): ListenerCounts;
  close(): Promise<void>;
}

export interface ListenerCounts {
  connections: number;
  /** Connections without a certificate of our authority, since the start. */
  handshakesFailed: number;
  /** Requests that were not answered as asked, by code, since the start. */
  refused: ReadonlyMap<string, number>;
}

export interface HostListenerOptions {
  host: string;
  port: number;
  files: TlsFiles;
  routes: readonly HostRoute[];
  /** The host that comes with this certificate. Throws a coded error for one that may not come, with its code in `statusOf`. */
  identify(peer: X509Certificate): string;
  statusOf?: (error: EdgewardError) => number | undefined;
  clock: Clock;
  logger: Logger;
}

/** Far above what an agent asks, also one that sends what it kept while the service was away. */
const RATE = { perSecond: 20, burst: 100 };
const MOST_CONNECTIONS = 16;

/** Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function openHostListener(options: HostListenerOptions): Promise<HostListener> {
  const { clock, logger } = options;
  const refused = new Map<string, number>();
  let handshakesFailed = 0;
  const server: TlsServer = await openTlsServer<HostRoute>({
    host: options.host,
    port: options.port,
    files: options.files,
    routes: options.routes,
    logger,
    clock,
    admit: admission(options),
    onFailure: async ({ method, path, remote, peer }, { error }) => {
      refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
      const point = peer === null ? null : pointOf(peer);
      logger.debug({ event: 'host_refused', point, remote, method, path, code: error.code }, error.message);
    },
    onHandshakeFailed: (reason) => {
      handshakesFailed += 1;
      logger.debug({ event: 'host_handshake_failed', reason }, 'a connection without a good certificate');
    },
    statusOf: (error) => options.statusOf?.(error) ?? hostStatusOf(error),
    maxConnectionsPerPeer: () => MOST_CONNECTIONS,
  });
  return {
    url: server.url,
    port: server.port,
    counts: () => ({ connections: server.connections(), handshakesFailed, refused }),
    close: server.close,
  };
}

function admission({ identify, clock }: HostListenerOptions): (asked: { peer: X509Certificate }) => HttpFailure | null {
  const limit = createRateLimit(RATE);
  return ({ peer }) => {
    // What it throws has its own status.
    const point = identify(peer);
    const waitMs = limit.take(point, clock.now());
    return waitMs === 0 ? null : tooMany(point, waitMs);
  };
}

function tooMany(point: string, waitMs: number): HttpFailure {
  const error = new EdgewardError('EDW_ERR_HOST_TOO_MANY', `${point} asks more than ${RATE.perSecond} times a second`, {
    mend: 'Nothing to do: the agent waits. If it stays so, look for a second agent with this identity.',
  });
  return { status: 429, error, headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) } };
}
