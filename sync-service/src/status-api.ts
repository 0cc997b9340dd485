import {
  type Collector,
  denialRoutes,
  denialStatuses,
  type GapCause,
  type SinkStatus,
} from '@edgeward/audit-collector';
import type { PointStatus } from '@edgeward/enforcement-point';
import type { SnapshotStatus } from '@edgeward/nginx-njs';
import type { Finding, Mode, ObjectLoss } from '@edgeward/policy';
import type { Nack } from '@edgeward/policy-format';
import { EdgewardError, type HttpAnswer, type HttpRequest, type HttpRoute, type Registry } from '@edgeward/runtime';
import { flowOf } from './event-labels.ts';
import type { ForwarderStatus } from './forwarders.ts';
import type { HostStatus } from './hosts/host-status.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import type { ObjectProof } from './proof/object-proof.ts';
import type { PointHazard } from './served-point.ts';

/** What `edgeward status`, `accept`, `denials` and `why` read, and what load balancers and Prometheus ask for. */
export interface ServiceStatus {
  version: string;
  startedAtMs: number;
  nowMs: number;
  /** One line that says whether anything is enforced. */
  headline: string;
  policy: {
    state: 'current' | 'last-known-good' | 'none';
    /** Of policy documents; null: a central store decides. */
    directory: string | null;
    /** Where the central store is. */
    store: string | null;
    revision: number;
    hash: string;
    changedAtMs: number | null;
    errors: Finding[];
    warnings: number;
    held: { revision: number; heldAtMs: number; objects: ObjectLoss[] } | null;
    nextChangeAtMs: number | null;
  };
  points: PointReport[];
  /** Where deny events go beside the ledger. */
  sinks: SinkStatus[];
}

export interface PointReport extends PointStatus {
  kind: 'nginx' | 'bigip' | 'host';
  objects: Record<Mode, number>;
  /**
   * Denials in the ledger, and as the point itself counted them (a BIG-IP: numbered them); fewer stored are on their way or
   * lost, or `uncovered`: a point counted them and has no record of them, by cause.
   */
  denials: { stored: number; uncovered: Partial<Record<GapCause, number>>; counted: number };
  /** Why its deny log is not being read, or null. */
  logError: { code: string; message: string; mend: string } | null;
  /** What stands in the way of enforcement at the point itself; a BIG-IP is looked at for it, a host tells. */
  hazards: PointHazard[];
  /** Names of objects that a hazard keeps from being judged; they count in no mode of `objects`. */
  unprotected: string[];
  /** Whether each of its objects that is not off was shown to be enforced, by flows that were sent through the point. */
  proofs: ObjectProof[];
  /** How it follows a central store; null: a directory decides. `version` is what people approved last for it. */
  store: {
    epoch: number;
    revision: number;
    version: number;
    /** The version that the desired revision is of: after break-glass the one before it. */
    desiredVersion: number | null;
    /** The version that the applied revision is of; null also where that was not given by this service since its start. */
    appliedVersion: number | null;
    stale: boolean;
    /** The record of attempts was rewritten after this point had seen it. */
    contradicted: boolean;
    /** One approver alone opened what the point is to hold; it ends by itself. `endsAt` as in 2026-11-22T12:00:00.000Z. */
    breakGlass: { version: number; endsAt: string; proposedBy: string; reason: string } | null;
    lastCheckedAtMs: number | null;
    nack: Nack | null;
  } | null;
  /** Of an NGINX whose deny log is on another machine; null for every other point. */
  forwarder: ForwarderStatus | null;
  /** The native snapshot of an NGINX in mode hybrid; null for every other point. */
  snapshot: SnapshotStatus | null;
  /** What a host said of itself last; null for every other kind. */
  host: HostStatus | null;
}

export interface ApiOptions {
  token: string;
  registry: Registry;
  policy: PolicyInForce;
  collector: Collector;
  status(): ServiceStatus;
}

export function statusRoutes(options: ApiOptions): HttpRoute[] {
  const { token, policy, collector } = options;
  return [
    { method: 'GET', path: '/livez', handle: () => ({ text: 'ok\n' }) },
    { method: 'GET', path: '/readyz', handle: () => ready(options.status()) },
    {
      method: 'GET',
      path: '/metrics',
      handle: async () => ({ text: await options.registry.metrics(), contentType: options.registry.contentType }),
    },
    { method: 'GET', path: '/v1/status', token, handle: () => ({ json: options.status() }) },
    { method: 'POST', path: '/v1/accept', token, handle: (request) => accept(policy, request) },
    ...denialRoutes({ token, ledger: collector, explain: (event) => policy.explain(flowOf(event)) }),
  ];
}

const STATUS_OF: Record<string, number> = {
  ...denialStatuses,
  EDW_ERR_NOTHING_HELD: 404,
  EDW_ERR_HELD_OTHER: 409,
};

export function statusOf(error: EdgewardError): number {
  return STATUS_OF[error.code] ?? 500;
}

/** Ready once a policy is in force; a point that is away is a state of that point and no reason to be restarted. */
function ready(status: ServiceStatus): HttpAnswer {
  if (status.policy.state !== 'none') return { text: 'ready\n' };
  return { status: 503, text: 'no policy was published yet\n' };
}

async function accept(policy: PolicyInForce, request: HttpRequest): Promise<HttpAnswer> {
  const body = request.json() as { revision?: unknown } | null;
  const revision = body?.revision;
  if (typeof revision !== 'number' || !Number.isInteger(revision))
    throw badQuery('revision', JSON.stringify(revision), 'a whole number');
  await policy.accept(revision);
  return { json: { accepted: revision } };
}

function badQuery(name: string, given: string | undefined, accepted: string): EdgewardError {
  return new EdgewardError('EDW_ERR_QUERY', `'${name}' is ${given ?? 'missing'}, and must be ${accepted}`, {
    mend: 'Correct the request.',
  });
}
