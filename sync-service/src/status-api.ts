import type { Collector, GapCause, StoredDenial } from '@edgeward/audit-collector';
import type { PointStatus } from '@edgeward/enforcement-point';
import type { Finding, Mode, ObjectLoss } from '@edgeward/policy';
import type { Nack } from '@edgeward/policy-format';
import { EdgewardError, type HttpAnswer, type HttpRequest, type HttpRoute, type Registry } from '@edgeward/runtime';
import { flowOf } from './event-labels.ts';
import type { HostStatus } from './hosts/host-status.ts';
import type { PolicyInForce } from './policy-in-force.ts';
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
}

export interface PointReport extends PointStatus {
  kind: 'nginx' | 'bigip' | 'host';
  objects: Record<Mode, number>;
  /**
   * Denials in the ledger, and as the point itself counted them (a BIG-IP: numbered them); fewer stored are on their way or
   * lost, or `uncovered`: a host counted them and has no record of them, by cause.
   */
  denials: { stored: number; uncovered: Partial<Record<GapCause, number>>; counted: number };
  /** Why its deny log is not being read, or null. */
  logError: { code: string; message: string; mend: string } | null;
  /** What stands in the way of enforcement at the point itself; a BIG-IP is looked at for it, a host tells. */
  hazards: PointHazard[];
  /** Names of objects that a hazard keeps from being judged; they count in no mode of `objects`. */
  unprotected: string[];
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
    { method: 'GET', path: '/v1/denials', token, handle: (request) => denials(collector, request) },
    { method: 'GET', path: '/v1/why/:ref', token, handle: (request) => why(options, request.params.ref ?? '') },
  ];
}

const STATUS_OF: Record<string, number> = {
  EDW_ERR_NOTHING_HELD: 404,
  EDW_ERR_HELD_OTHER: 409,
  EDW_ERR_UNKNOWN_REFERENCE: 404,
  EDW_ERR_QUERY: 400,
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

function denials(collector: Collector, request: HttpRequest): HttpAnswer {
  const { query } = request;
  const afterId = numberIn(query, 'after');
  const sinceMs = numberIn(query, 'sinceMs');
  const limit = numberIn(query, 'limit');
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const point = text('point');
  const found = collector.denials({
    afterId,
    sinceMs,
    limit: limit === undefined ? 100 : Math.min(Math.max(1, limit), 10_000),
    point,
    object: text('object'),
    source: text('source'),
    newest: afterId === undefined && sinceMs === undefined,
  });
  const [first] = found;
  const fromMs = sinceMs ?? (first === undefined ? 0 : Date.parse(first.event.windowStart));
  // A page that follows another one tells them no second time.
  const uncovered = afterId === undefined ? collector.uncovered({ sinceMs: fromMs, point }) : [];
  return { json: { denials: found.map(flat), uncovered, after: found.at(-1)?.id ?? afterId ?? 0 } };
}

function flat(denial: StoredDenial): unknown {
  return { id: denial.id, ...denial.event };
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value) || value < 0) throw badQuery(name, text, 'a whole number');
  return value;
}

/** `@7` is the event with this id: of a packet that was dropped nobody was shown a reference. */
function denialAt(collector: Collector, ref: string): StoredDenial | null {
  return /^@\d{1,15}$/.test(ref) ? collector.byId(Number(ref.slice(1))) : collector.byRef(ref);
}

/** Where the reference of a 403 leads: the event as it was, and how the same flow would be judged now. */
function why(options: ApiOptions, ref: string): HttpAnswer {
  const denial = denialAt(options.collector, ref);
  if (denial === null) {
    throw new EdgewardError(
      'EDW_ERR_UNKNOWN_REFERENCE',
      `no denial with the reference ${JSON.stringify(ref)} is in the ledger`,
      {
        mend: 'Copy the whole reference from the 403, or from `edgeward denials`; a denial of the last second may still be on its way.',
      },
    );
  }
  const { event } = denial;
  // What was cut off may have been what was wrong with it: half a request is not judged.
  const now = event.truncated ? null : options.policy.explain(flowOf(event));
  return {
    json: {
      event: flat(denial),
      nearestRule: event.nearestRule,
      missed: event.missed,
      judgedAt: event.revision,
      now,
    },
  };
}

function badQuery(name: string, given: string | undefined, accepted: string): EdgewardError {
  return new EdgewardError('EDW_ERR_QUERY', `'${name}' is ${given ?? 'missing'}, and must be ${accepted}`, {
    mend: 'Correct the request.',
  });
}
