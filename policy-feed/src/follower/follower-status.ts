/** What a follower can say of itself: for a status, for metrics, for a report. */
import { isStale, type Nack, type PointReport, type PointState } from '@edgeward/policy-format';
import type { Observed } from './reporter.ts';
import { type Held, openGlass } from './takeover.ts';

export interface FollowerStatus {
  point: string;
  store: string;
  /** Of what is held; 0 before the first. */
  epoch: number;
  revision: number;
  /** Of the approval. */
  version: number;
  /** One approver alone opened what is in force, until then. */
  breakGlass: { version: number; endsAt: string; proposedBy: string; reason: string } | null;
  /** The store has signed nothing newer than what has expired. */
  stale: boolean;
  expiresAt: string | null;
  lastCheckedAtMs: number | null;
  lastChangedAtMs: number | null;
  lastError: { code: string; message: string; mend: string } | null;
  nack: Nack | null;
  /** The record of attempts was rewritten after this point had seen it. */
  contradicted: boolean;
  /** What is held is on disk, floor and all. */
  kept: boolean;
  bytesReceived: number;
  snapshots: number;
  deltas: number;
}

/** What happened since the start, changed in place by the loop. */
export interface Seen {
  lastCheckedAtMs: number | null;
  lastChangedAtMs: number | null;
  lastError: FollowerStatus['lastError'];
  nack: Nack | null;
  bytesReceived: number;
  snapshots: number;
  deltas: number;
}

export function newSeen(): Seen {
  return {
    lastCheckedAtMs: null,
    lastChangedAtMs: null,
    lastError: null,
    nack: null,
    bytesReceived: 0,
    snapshots: 0,
    deltas: 0,
  };
}

export function statusOf(point: string, store: string, seen: Seen, held: Held | null, nowMs: number): FollowerStatus {
  const state = held?.state ?? null;
  return {
    point,
    store,
    ...seen,
    epoch: state?.head.epoch ?? 0,
    revision: state?.head.revision ?? 0,
    version: state?.approval.approval.version ?? 0,
    breakGlass: state === null ? null : glassOf(state, nowMs),
    stale: state !== null && isStale(state.head, nowMs),
    expiresAt: state?.head.expiresAt ?? null,
    contradicted: (held?.witness?.contradicted ?? null) !== null,
    kept: state !== null && held?.kept?.stateRoot === state.head.stateRoot,
    bytesReceived: seen.bytesReceived + (held?.bytesReceived ?? 0),
  };
}

function glassOf(state: PointState, nowMs: number): FollowerStatus['breakGlass'] {
  const glass = openGlass(state, nowMs);
  if (glass === null) return null;
  const { version, endsAt, proposedBy, reason } = glass;
  return { version, endsAt, proposedBy, reason };
}

interface Reporting {
  point: string;
  service: string;
  seen: Seen;
  held: Held;
  nowMs: number;
}

/** Only what is kept on disk counts as taken over. */
export function reportOf(
  { point, service, seen, held, nowMs }: Reporting,
  observed: Observed | undefined,
): PointReport {
  return {
    typ: 'edgeward-report/1',
    point,
    at: new Date(nowMs).toISOString(),
    service,
    epoch: held.kept?.epoch ?? 0,
    revision: held.kept?.revision ?? 0,
    applied: observed?.applied ?? null,
    state: observed?.state ?? (held.state === null ? 'no-policy' : 'applying'),
    nack: toldShortly(seen.nack ?? observed?.nack ?? null),
    witnessed: held.witness?.checkpoint ?? null,
    contradicted: (held.witness?.contradicted ?? null) !== null,
    denials: observed?.denials ?? { total: 0, sinceMs: nowMs },
  };
}

/** A compiler may have much to say; a report that is refused for its length says nothing. */
function toldShortly(nack: Nack | null): Nack | null {
  return nack === null ? null : { ...nack, message: nack.message.slice(0, MESSAGE_CHARACTERS) };
}

const MESSAGE_CHARACTERS = 1000;
