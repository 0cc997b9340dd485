/**
 * What a host's spool keeps and sends: equal denials of a window with their count, and gaps, which are denials that were
 * counted and of which nothing else is known. Both are numbered without a hole. Here a record becomes a deny event, with
 * the names and labels that the service has; a host knows no labels. Whose records these are is told by whoever took them
 * in, never by a record.
 */
import { canonicalAddress, type DenyEvent, type DenyReason, type DenyVerdict, type Labels } from './deny-event.ts';

export type HostRecord = HostDenial | HostGap;

export interface HostDenial {
  /** From 1, in each life (epoch) of the spool. */
  seq: number;
  kind: 'denial';
  /** ISO time of the first and last of them, by the clock of the host. */
  windowStart: string;
  windowEnd: string;
  count: number;
  /** What the point calls it. */
  object: string;
  source: string;
  /** null: they came from several. */
  sourcePort: number | null;
  port: string;
  verdict: DenyVerdict;
  reason: DenyReason;
  rule: string | null;
  revision: number;
  /** As the host sees it, without labels; what the service knows is preferred. */
  nearestRule: string | null;
  missed: string | null;
}

/**
 * Why there is a number and nothing else: no sample was taken, the spool had no room, the kernel dropped the sample, a
 * sample or a record could not be read, or no policy was known to judge it by. `unlogged` is what no sender says: a point
 * counted it, and has no line of it.
 */
export type GapCause = (typeof gapCauses)[number] | 'unlogged';

/** What a sender may say. */
export const gapCauses = ['not-sampled', 'spool-full', 'netlink', 'unreadable', 'not-judged'] as const;

export interface HostGap {
  seq: number;
  kind: 'gap';
  windowStart: string;
  windowEnd: string;
  cause: GapCause;
  count: number;
}

/** The event of a record; nothing of a packet but addresses and ports is in it. */
export function hostDenyEvent(record: HostDenial, point: string, labels: Labels): DenyEvent {
  const { count, port, verdict, reason, revision, sourcePort } = record;
  const { windowStart, windowEnd } = windowOf(record);
  const source = canonicalAddress(record.source);
  const from = labels.source(point, source, revision);
  const object = labels.object(point, record.object, revision);
  const event: DenyEvent = {
    v: 1,
    ref: null,
    time: windowEnd,
    ...{ windowStart, windowEnd, count, point },
    object: object?.name ?? record.object,
    objectLabels: object?.labels ?? {},
    ...{ source, sourcePort },
    sourceWorkloads: from.workloads,
    sourceNetworks: from.networks,
    sourceLabels: from.labels,
    labelsRevision: from.revision,
    ...{ peer: null, port, method: null, path: null, truncated: false, host: null },
    ...{ verdict, reason, rule: record.rule, revision, nearestRule: null, missed: null },
  };
  const near = labels.nearest(event);
  const { nearestRule, missed } = near.nearestRule === null ? record : near;
  return { ...event, nearestRule, missed };
}

/** A clock that is set back within a window turns it around; a record is not refused for that. */
export function windowOf({ windowStart, windowEnd }: Pick<HostRecord, 'windowStart' | 'windowEnd'>): {
  windowStart: string;
  windowEnd: string;
} {
  const [first = 0, last = 0] = [Date.parse(windowStart), Date.parse(windowEnd)].sort((a, b) => a - b);
  return { windowStart: new Date(first).toISOString(), windowEnd: new Date(last).toISOString() };
}
