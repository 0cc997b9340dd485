import {
  HELD_HEADER,
  HOST_POLICY_HEAD_TYPE,
  HOST_POLICY_TYPE,
  hostReportOf,
  isHeldIn,
  MAX_REPORT_BYTES,
} from '@edgeward/host-agent/protocol';
import {
  acceptsGzip,
  type Clock,
  EdgewardError,
  type HttpAnswer,
  type HttpRequest,
  type HttpRoute,
  type TlsRequest,
} from '@edgeward/runtime';
import { pointOf } from './host-identity.ts';
import type { HostReports } from './host-reports.ts';
import type { PolicyShelf } from './policy-shelf.ts';

/**
 * What a host may ask for: its own policy and nobody else's, as the certificate says who it is and no part of a request
 * does. Who is let in at all is decided before anything here is called.
 */
export type HostRoute = HttpRoute<TlsRequest>;

export interface HostRoutesOptions {
  shelf: PolicyShelf;
  reports: HostReports;
  clock: Clock;
}

/** The longest that a host may wait for news. */
const MAX_WAIT_S = 60;

export function hostRoutes(options: HostRoutesOptions): HostRoute[] {
  return [
    { method: 'GET', path: '/v1/host/policy', handle: (request) => policy(options, request) },
    {
      method: 'POST',
      path: '/v1/host/report',
      maxBodyBytes: MAX_REPORT_BYTES,
      handle: (request) => report(options, request),
    },
  ];
}

/** The host that asks. Throws EDW_ERR_HOST_UNKNOWN, though nobody else gets here. */
export function hostIn({ peer }: Pick<TlsRequest, 'peer'>): string {
  const point = pointOf(peer);
  if (point === null) throw unknownHost('the client certificate names no single point');
  return point;
}

async function policy({ shelf }: HostRoutesOptions, request: TlsRequest): Promise<HttpAnswer> {
  const point = hostIn(request);
  const asked = shelf.etagOf(point);
  if (asked === null || isHeld(request, asked)) await shelf.wait(point, asked, waitMsOf(request), request.signal);
  const etag = shelf.etagOf(point);
  // Before it is written and signed, which is work for nothing here.
  if (etag !== null && isHeld(request, etag)) return { status: 304, empty: true, headers: { etag: `"${etag}"` } };
  // Packed here, it is packed once: a host that asks again and again costs no more than what goes over the wire.
  const packed = acceptsGzip(request.headers);
  const found = await shelf.newest(point, { packed, isHeld: (hash) => isHeldIn(request.headers[HELD_HEADER], hash) });
  if (found === null) throw noPolicy(point);
  if (found.form === 'head') return { bytes: found.bytes, contentType: HOST_POLICY_HEAD_TYPE, etag: found.etag };
  const answer = { bytes: found.bytes, contentType: HOST_POLICY_TYPE };
  if (found.form === 'whole') return { ...answer, etag: found.etag };
  return { ...answer, etag: `${found.etag}-gzip`, headers: { 'content-encoding': 'gzip' } };
}

function report({ shelf, reports, clock }: HostRoutesOptions, request: TlsRequest): HttpAnswer {
  const point = hostIn(request);
  reports.hear(point, hostReportOf(request.json()), request.remote);
  return { json: { now: new Date(clock.now()).toISOString(), revision: shelf.revisionOf(point) } };
}

/** Whether the host says that it has this one; packed, it has the same name with `-gzip` behind it. */
function isHeld({ headers }: HttpRequest, etag: string): boolean {
  const tags = (headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.some((tag) => tag === `"${etag}"` || tag === `"${etag}-gzip"`);
}

/** `Prefer: wait=55` (RFC 7240), in milliseconds; 0 for anything that does not read so. */
function waitMsOf({ headers }: HttpRequest): number {
  const given = headers.prefer;
  const text = Array.isArray(given) ? given.join(',') : (given ?? '');
  const seconds = text.split(/[,;]/).map((it) => /^\s*wait=(\d{1,4})\s*$/.exec(it)?.[1]);
  return Math.min(MAX_WAIT_S, Number(seconds.find((it) => it !== undefined) ?? 0)) * 1000;
}

export function unknownHost(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_UNKNOWN', `letting a host in: ${why}`, {
    mend: 'Name the host under `hosts.points` in edgeward.yaml and restart the service, or enrol it under the name that stands there.',
  });
}

function noPolicy(point: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_NO_POLICY', `there is no policy for ${point} yet`, {
    mend: 'Write a Workload with this `point`, or wait: after a start of the service its first policy takes a moment.',
  });
}

/** The status for what is thrown here and by the messages' own readers. */
export function hostStatusOf({ code }: EdgewardError): number {
  return STATUS[code] ?? 500;
}

const STATUS: Readonly<Record<string, number>> = {
  EDW_ERR_HOST_UNKNOWN: 403,
  EDW_ERR_HOST_NO_POLICY: 404,
  EDW_ERR_HOST_NO_EVIDENCE: 404,
  EDW_ERR_HOST_EVIDENCE_REQUEST: 400,
  EDW_ERR_HOST_REPORT: 400,
  EDW_ERR_HOST_BATCH: 400,
};
