/** What the collector says of itself: for each log that it follows and each listener, how far it is and why it is not. */
import type { FileCursor, LossCause, UnparsedCause } from '@edgeward/deny-log';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { GapCause } from './host-record.ts';
import type { CloseCause, RefusalCause } from './syslog-listener.ts';

export interface LogStatus {
  point: string;
  file: string;
  /** Denials of this point ever stored. */
  stored: number;
  /** Denials that the point itself counted, over all its lives. */
  enforced: number;
  unparsed: Partial<Record<UnparsedCause, number>>;
  losses: Partial<Record<LossCause, number>>;
  lagBytes: number;
  /** How far the newest file was read. */
  cursor: FileCursor | null;
  /** ISO time of the last event stored, by the clock of the point. */
  lastEventAt: string | null;
  /** Why nothing is read now. */
  error: StatusError | null;
}

/** Over all lives of the point, except where it says otherwise. */
export interface ListenerStatus {
  point: string;
  /** The port that is listened on; null while none is. */
  listen: { host: string; port: number | null };
  connections: number;
  /** Denials by number: what the point's TMMs observed is stored + missing + suppressed. */
  stored: number;
  /** Sent, and in no ledger: the table `gaps` has the numbers. */
  missing: number;
  /** Left unsent by the point to keep to its rate. */
  suppressed: number;
  observed: number;
  unparsed: Partial<Record<UnparsedCause, number>>;
  /** Connections not taken, and closed as overdue, since this process began. */
  refused: Partial<Record<RefusalCause, number>>;
  closed: Partial<Record<CloseCause, number>>;
  /** Messages in memory that wait for the ledger. */
  waiting: number;
  lastEventAt: string | null;
  /** Why nothing is received, or stored, now. */
  error: StatusError | null;
}

/** Of whoever sends records that he numbers, a host or a forwarder, over all its lives. */
export interface SpoolStatus {
  point: string;
  /** Denials in the ledger, by their counts. */
  stored: number;
  /** Denials that it counted and has no record of. */
  gaps: Partial<Record<GapCause, number>>;
  /** stored and gaps: with what still waits in the spool, what the point counted. */
  observed: number;
  /** Numbers of records that never came: each of one denial or more. */
  missing: number;
  /** Lines, or records, that could not be read, and times that lines may have been lost. */
  unparsed: Partial<Record<UnparsedCause, number>>;
  losses: Partial<Record<LossCause, number>>;
  lastEventAt: string | null;
}

export interface StatusError {
  code: string;
  message: string;
  mend: string;
}

export function statusError(thrown: unknown): StatusError {
  const { code, mend } =
    thrown instanceof EdgewardError ? thrown : { code: 'EDW_ERR_INTERNAL', mend: 'This is a bug: please report it.' };
  return { code, message: messageOf(thrown), mend };
}

/** The counts of one point. */
export function byCause<Cause extends string>(
  counts: readonly { point: string; cause: Cause; count: number }[],
  point: string,
): Partial<Record<Cause, number>> {
  const own = counts.filter((entry) => entry.point === point);
  return Object.fromEntries(own.map((entry) => [entry.cause, entry.count])) as Partial<Record<Cause, number>>;
}

/** ISO time of the last event of one point. */
export function lastEventOf(totals: readonly { point: string; lastMs: number }[], point: string): string | null {
  const lastMs = totals.reduce((last, total) => (total.point === point ? Math.max(last, total.lastMs) : last), -1);
  return lastMs < 0 ? null : new Date(lastMs).toISOString();
}
