/**
 * The deny event: the record of one denial, or of `count` equal ones in a window, in the words that are relied on from
 * outside. The schema here gives the type's checks and `docs/deny-event.schema.json`; `denyEvent` makes one from a line
 * of a point's deny log and the labels that held at that revision. A query string never enters an event.
 */
import { type DenyReason, type DenyRecord, type DenyVerdict, denyReasons } from '@edgeward/deny-log';
import { formatAddress, parseAddress } from '@edgeward/policy';
import * as z from 'zod';
import { instantText } from './instants.ts';

export type { DenyReason, DenyVerdict } from '@edgeward/deny-log';

/** The fields are described in the schema below, which is what others read. */
export interface DenyEvent {
  v: 1;
  ref: string | null;
  time: string;
  windowStart: string;
  windowEnd: string;
  count: number;
  point: string;
  object: string;
  objectLabels: Record<string, string>;
  source: string;
  sourcePort: number | null;
  sourceWorkloads: string[];
  sourceNetworks: string[];
  sourceLabels: Record<string, string>;
  labelsRevision: number | null;
  peer: string | null;
  port: string;
  method: string | null;
  path: string | null;
  truncated: boolean;
  host: string | null;
  verdict: DenyVerdict;
  reason: DenyReason;
  rule: string | null;
  revision: number;
  nearestRule: string | null;
  missed: string | null;
}

const instant = (says: string): z.ZodISODateTime => z.iso.datetime({ precision: 3 }).describe(says);
const labels = (says: string): z.ZodRecord<z.ZodString, z.ZodString> => z.record(z.string(), z.string()).describe(says);

const eventShape = {
  v: z.literal(1).describe('Version of this format'),
  ref: z
    .string()
    .min(1)
    .nullable()
    .describe('The opaque reference that the refused client was shown, or that all of them were'),
  time: instant('When the last denial of the window happened, by the clock of the point (UTC)'),
  windowStart: instant('First denial of the window'),
  windowEnd: instant('Last denial of the window'),
  count: z.int().min(1).describe('Equal denials in the window'),
  point: z.string().min(1).describe('Policy enforcement point that judged'),
  object: z.string().describe('Protected object; what the point calls it where the policy has none by that name'),
  objectLabels: labels('Labels of the object'),
  source: z
    .string()
    .describe(
      'Address that was judged; behind a trusted proxy the one it named; empty: it has none, or there were several',
    ),
  sourcePort: z.int().min(0).max(65535).nullable().describe('Port of the source; null behind a trusted proxy'),
  sourceWorkloads: z.array(z.string()).describe('Workloads that have this address'),
  sourceNetworks: z.array(z.string()).describe('Networks that hold this address'),
  sourceLabels: labels('Labels of these workloads; differing values of a key are sorted and joined by a comma'),
  labelsRevision: z.int().min(0).nullable().describe('Revision whose labels these are; null where none were known'),
  peer: z.string().nullable().describe('Address of the TCP peer where it is not the source'),
  port: z.string().describe('Port that was asked for, as in tcp/443'),
  method: z.string().nullable().describe('HTTP method'),
  path: z.string().nullable().describe('Path as it was sent, without its query, at most 1 KiB'),
  truncated: z.boolean().describe('Method, path or host was cut, or is not known because the event stands for a flood'),
  host: z.string().nullable().describe('Host that was asked for'),
  verdict: z.enum(['deny', 'would-deny']).describe('would-deny: the object is in observe, the traffic passed'),
  reason: z.enum(denyReasons).describe('Why'),
  rule: z.string().nullable().describe('Rule that denied, or null where none did'),
  revision: z.int().min(0).describe('Revision of the policy that judged; 0 where none was loaded'),
  nearestRule: z.string().nullable().describe('Rule that came nearest to allowing it'),
  missed: z.string().nullable().describe('The one condition of that rule that failed'),
};

export const denyEventSchema: z.ZodType<DenyEvent> = z.strictObject(eventShape).meta({
  title: 'Edgeward deny event',
  description: 'The record of one denial, or of `count` equal ones in a window, at a policy enforcement point.',
});

/** As another collector sends it, which may be newer: what is not known here is left out. */
export const receivedEventSchema: z.ZodType<DenyEvent> = z.object({
  ...eventShape,
  // As long as in a line of a deny log: it is a name by which sums are kept.
  object: z.string().max(1024),
});

/** What the policy in force said about both ends. Given in by whoever holds the policy. */
export interface Labels {
  /** Of several memberships the labels are merged: differing values of a key, sorted and joined by a comma. */
  source(point: string, address: string, revision: number): SourceLabels;
  /** `bind` is what the point calls the object. null: no such object. */
  object(point: string, bind: string, revision: number): { name: string; labels: Record<string, string> } | null;
  nearest(event: DenyEvent): { nearestRule: string | null; missed: string | null };
}

export interface SourceLabels {
  workloads: string[];
  networks: string[];
  labels: Record<string, string>;
  /** The revision that these labels are of. */
  revision: number | null;
}

/** Reasons that lie in method, path or host. */
const asksForRequest: readonly DenyReason[] = ['bad-request', 'request-not-allowed'];
const maxPathBytes = 1024;
const maxHostBytes = 256;
const maxMethodBytes = 64;

export function denyEvent(record: DenyRecord, point: string, labels: Labels): DenyEvent {
  const { t: lastMs, count = 1, firstMs = lastMs } = record;
  const time = instantText(lastMs);
  const windowStart = firstMs < lastMs ? instantText(firstMs) : time;
  const source = canonicalAddress(record.source ?? '');
  const peer = record.peer === record.source ? source : canonicalAddress(record.peer ?? '');
  const direct = peer === source;
  const from = labels.source(point, source, record.revision);
  const object = labels.object(point, record.object, record.revision);
  const request = requestOf(record);
  const event: DenyEvent = {
    v: 1,
    ref: textOrNull(record.ref),
    time,
    windowStart,
    windowEnd: time,
    count,
    point,
    object: object?.name ?? record.object,
    objectLabels: object?.labels ?? {},
    source,
    sourcePort: direct ? record.peerPort : null,
    sourceWorkloads: from.workloads,
    sourceNetworks: from.networks,
    sourceLabels: from.labels,
    labelsRevision: from.revision,
    peer: direct ? null : textOrNull(peer),
    port: record.port,
    ...request,
    verdict: record.verdict,
    reason: record.reason,
    rule: textOrNull(record.rule),
    revision: record.revision,
    nearestRule: null,
    missed: null,
  };
  // Of a flood nobody knows what was asked for, so no condition can be said to have failed.
  if (record.count !== undefined && asksForRequest.includes(record.reason)) return event;
  const { nearestRule, missed } = labels.nearest(event);
  event.nearestRule = nearestRule;
  event.missed = missed;
  return event;
}

/** One spelling for an address, so that a query finds it: IPv6 as RFC 5952, IPv4-mapped as IPv4, a unix socket as nothing. */
export function canonicalAddress(text: string): string {
  if (text === 'unix:') return '';
  const key = parseAddress(text);
  return key === null ? text : formatAddress(key);
}

function requestOf(record: DenyRecord): Pick<DenyEvent, 'method' | 'path' | 'truncated' | 'host'> {
  // The point cuts the query off already. A secret in a query is worth a second look.
  const path = record.path?.split('?', 1)[0] ?? '';
  const cutOff = { method: cut(record.method ?? '', maxMethodBytes), path: cut(path, maxPathBytes) };
  const host = cut(record.host ?? '', maxHostBytes);
  return {
    method: textOrNull(cutOff.method.text),
    path: textOrNull(cutOff.path.text),
    truncated: record.truncated || cutOff.method.short || cutOff.path.short || host.short,
    host: textOrNull(host.text),
  };
}

/** At most `maxBytes` of UTF-8, never half of a character. */
function cut(text: string, maxBytes: number): { text: string; short: boolean } {
  // Each unit is three bytes at most: most texts need no counting.
  if (text.length * 3 <= maxBytes) return { text, short: false };
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return { text: text, short: false };
  const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, maxBytes), { stream: true });
  return { text: whole, short: true };
}

function textOrNull(text: string | null): string | null {
  return text === null || text === '' ? null : text;
}
