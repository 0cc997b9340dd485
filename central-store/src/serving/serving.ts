/** The store on the network: its routes, its door, its limits. What is published is not decided here. */
import type { TrustRoot } from '@edgeward/policy-format';
import { type Clock, type Logger, openTlsServer, type TlsFiles, type TlsServer } from '@edgeward/runtime';
import type { Proposals } from '../proposals/proposals.ts';
import type { Publishing } from '../publishing/index.ts';
import type { AttemptRecord } from '../record/record.ts';
import type { Rollout } from '../rollout/index.ts';
import { createAccess, identityIn, type RateLimits } from './access.ts';
import { peopleRoutes } from './people-routes.ts';
import { pointRoutes } from './point-routes.ts';
import { statusOf } from './refusals.ts';
import type { ReportShelf } from './report-shelf.ts';

/**
 * A service asks for up to 32 points on one; one of before has a long poll and a poll beside it for each point. The rest is for
 * answers that go alone, for hints, and for a service that starts anew.
 */
const CONNECTIONS_OF_A_POINT = 3;
const BESIDE_POINTS = 64;
/** Of 5,000 points, with room for all of them to begin anew at once. */
const MAX_CONNECTIONS = 20_000;

export interface ServingOptions {
  host: string;
  port: number;
  tls: TlsFiles;
  limits: RateLimits;
  publishing: Publishing;
  proposals: Proposals;
  record: AttemptRecord;
  reports: ReportShelf;
  rollout: Pick<Rollout, 'decide'>;
  root: () => TrustRoot;
  status: () => unknown;
  clock: Clock;
  logger: Logger;
  maxConnections?: number;
}

export interface Serving {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  counts(): ServingCounts;
  close(): Promise<void>;
}

export interface ServingCounts {
  connections: number;
  /** Since the start. */
  requests: number;
  limited: number;
  handshakesFailed: number;
  bytes: number;
}

/** Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export async function openServing(options: ServingOptions): Promise<Serving> {
  const { publishing, proposals, record, reports, rollout, status, clock } = options;
  const access = createAccess({ root: options.root, record, clock, limits: options.limits });
  let handshakesFailed = 0;
  let requests = 0;
  const server: TlsServer = await openTlsServer({
    ...{ host: options.host, port: options.port, files: options.tls, logger: options.logger, clock, statusOf },
    maxConnections: options.maxConnections ?? MAX_CONNECTIONS,
    maxConnectionsPerPeer: (peer) => BESIDE_POINTS + CONNECTIONS_OF_A_POINT * identityIn(peer).points.length,
    routes: [
      ...pointRoutes({ publishing, reports, record }),
      ...peopleRoutes({ publishing, proposals, record, rollout, access, status }),
    ],
    admit(asked) {
      requests += 1;
      return access.admit(asked);
    },
    onFailure: access.refused,
    onOver: access.over,
    onHandshakeFailed: () => {
      handshakesFailed += 1;
    },
  });
  const { host, port, url } = server;
  return {
    host,
    port,
    url,
    counts: () => ({
      connections: server.connections(),
      requests,
      limited: access.limited(),
      handshakesFailed,
      bytes: server.bytesWritten(),
    }),
    close: server.close,
  };
}
