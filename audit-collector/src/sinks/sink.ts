/**
 * What a kind of sink has to do, and what it may say of a push. A sink keeps nothing: whoever runs it reads the ledger, keeps
 * the cursor, waits and counts. A push that fails leaves open how much of it arrived, and is made again as it was; so what a
 * sink leads to must bear to get an event twice.
 */
import { EdgewardError } from '@edgeward/runtime';
import type { StoredDenial } from '../ledger/ledger.ts';
import type { EventName } from '../ledger/lives.ts';

export interface Sink {
  /** A page of the ledger as it is to be pushed, one part after the other; none where there is nothing to push. Pure. */
  split(page: SinkPart): SinkPart[];
  /**
   * Rejects with EDW_ERR_SINK_…: the same part is given again later. Ends with the signal, at once. `waiting`: events of the
   * ledger behind this part.
   */
  push(part: SinkPart, signal: AbortSignal, waiting: number): Promise<Pushed>;
  /** Where the other end wants to hear that there is nothing new; the ledger lives by that epoch. Rejects as a push does. */
  beat?(signal: AbortSignal, epoch: string): Promise<void>;
  close(): void;
}

/** With what it is called wherever it goes: an id says nothing outside of its ledger, and a copy gives it once more. */
export interface NamedDenial extends StoredDenial {
  name: EventName;
}

export interface SinkPart {
  /** By id. */
  denials: readonly NamedDenial[];
  /** Ids of which the ledger has no event any more, before or among these, or after all of them. */
  holes: readonly IdRange[];
}

export interface IdRange {
  first: number;
  last: number;
}

/** What became of every event of a part. */
export interface Pushed {
  sent: number;
  /** Refused for good, by a word of ours. */
  rejected: Partial<Record<Rejection, number>>;
  /** Sent, under another time than their own. */
  clamped: number;
}

export const rejections = ['too-old', 'too-far-behind', 'too-new', 'too-long', 'other'] as const;
export type Rejection = (typeof rejections)[number];

/** Why a push has to be made again. */
export const retryCauses = ['unreachable', 'timeout', 'busy', 'refused', 'server-error', 'local'] as const;
export type RetryCause = (typeof retryCauses)[number];

const MENDS: Record<RetryCause, string> = {
  unreachable: 'Start it, or correct its address and authority in the configuration. The events wait in the ledger.',
  timeout: 'Look at its load and at what stands between. The events wait in the ledger.',
  busy: 'It asked for a pause and gets it. Raise its limits if this lasts; the events wait in the ledger.',
  refused: 'Correct address, credentials, tenant or labels in the configuration. The events wait in the ledger.',
  'server-error': 'Look at its own log. The events wait in the ledger.',
  local: 'Correct the files that the configuration names, or the state folder. The events wait in the ledger.',
};

/** A push that has to be made again. */
export interface SinkFailure extends EdgewardError {
  readonly retry: RetryCause;
  /** What the other end asked for; 0 where it asked for nothing. */
  readonly retryAfterMs: number;
}

export function sinkFailure(
  retry: RetryCause,
  message: string,
  options: { cause?: unknown; retryAfterMs?: number } = {},
): SinkFailure {
  const code = retry === 'busy' ? 'EDW_ERR_SINK_BUSY' : 'EDW_ERR_SINK_PUSH';
  const error = new EdgewardError(code, message, { mend: MENDS[retry], cause: options.cause });
  return Object.assign(error, { retry, retryAfterMs: options.retryAfterMs ?? 0 });
}

export const retryOf = (thrown: unknown): RetryCause =>
  thrown instanceof EdgewardError && 'retry' in thrown ? (thrown as SinkFailure).retry : 'local';

/** What the other end asked for, in milliseconds; 0 where nobody asked, as for what the ledger itself throws. */
export const retryAfterOf = (thrown: unknown): number =>
  thrown instanceof EdgewardError ? (thrown.retryAfterMs ?? 0) : 0;
