/**
 * What every ledger promises, whatever holds it: each denial that was read is in it once. Events, sums and the cursor of the
 * log they came from are one transaction, and a cursor moves only from where it is said to stand: what is killed or run
 * twice stores nothing twice and leaves nothing out. Nothing but retention ever deletes, and sums outlive what it deletes.
 * Whatever fails is a rejection with a code EDW_ERR_LEDGER_…, and then nothing of the batch is there; only where the way to a
 * server broke over its commit can it be there all the same. Cursors and numbers tell, so it is given again and stored once.
 */
import type { CursorChange, FileCursor, Loss, Unparsed, UnparsedCause } from '@edgeward/deny-log';
import type { DenyEvent } from '../deny-event.ts';
import type { GapCause, HostGap } from '../host-record.ts';
import type { LedgerLife } from './lives.ts';
import type { Edge, HourSum, MinuteSum, RollupQuery } from './rollups.ts';
import type { DenialPage, DenialSearch } from './search.ts';
import type { Settled, Settling } from './settlements.ts';
import type { LedgerSums } from './sums.ts';

export interface Ledger {
  /**
   * Of its life now, 32 hex digits: with it, the id of an event names it for ever. To be looked at with each batch, because a
   * server may fail over while it is in use. Empty until it was opened.
   */
  readonly epoch: string;
  /**
   * Resolves when it is known what it has. A server that is away when a process begins must keep nobody from anything else:
   * until then every question is rejected, and sums are empty. Rejects when it is closed before.
   */
  opened(): Promise<void>;
  /**
   * Its lives, oldest first. The first is made with it and kept for ever; another one begins where it is found to be a copy.
   * `eventName` and `placeIn` say what an event of an earlier life is called, and how far somebody is who knew that one.
   */
  lives(): readonly LedgerLife[];
  /** Rejects with EDW_ERR_LEDGER_CONTENDED when a cursor does not stand where the batch says. */
  store(batch: LogBatchToStore): Promise<StoredDenial[]>;
  /** What was stored before is left out. */
  storeNumbered(batch: NumberedBatch): Promise<NumberedResult>;
  /** What was stored before is left out. */
  storeSpooled(batch: SpoolBatch): Promise<SpoolResult>;
  /**
   * `epoch` names the life of the point; without one, a counter that fell has begun anew. `closedMs`: when it was last seen
   * that nothing is missing of what had been counted before.
   */
  observeEnforced(
    point: string,
    counts: readonly EnforcedCount[],
    epoch: string | null,
    closedMs?: number | null,
  ): Promise<void>;
  /** Closes the books of a point, once, whoever finds the same. */
  settle(settling: Settling): Promise<Settled>;
  /** As they were at the opening, with everything that was stored through this object since. Asks nobody. */
  sums(): LedgerSums;
  /** As they are now, also what other processes stored. */
  readSums(): Promise<LedgerSums>;
  /** The one that was moved last first. */
  cursors(point: string, log: string): Promise<FileCursor[]>;
  denials(query: DenialQuery): Promise<StoredDenial[]>;
  /** A page, by what operators ask for. Rejects with EDW_ERR_QUERY. */
  search(search: DenialSearch): Promise<DenialPage>;
  /** The newest with this reference. */
  byRef(ref: string): Promise<StoredDenial | null>;
  byId(id: number): Promise<StoredDenial | null>;
  /** Denials without a record, by point and cause, of the windows that ended since then. */
  uncovered(query: UncoveredQuery): Promise<Uncovered[]>;
  /** Numbers of which there is no event, at most a thousand ranges, newest first. */
  gaps(point: string): Promise<Gap[]>;
  /** Numbers of records that never came, at most a thousand ranges, newest first. */
  spoolGaps(point: string): Promise<Gap[]>;
  /** The last hundred lines of each point that could not be read, oldest first. */
  quarantined(): Promise<QuarantinedLine[]>;
  /** Rollups, oldest first; whatever the order in which events came, they add up to what the totals say. */
  minutes(query: RollupQuery): Promise<MinuteSum[]>;
  hours(query: RollupQuery): Promise<HourSum[]>;
  /** Who was denied where, by labels: the one that was seen last at the end. */
  edges(query: RollupQuery): Promise<Edge[]>;
  /** Deletes at most `maxRows` rows or whole days of what is older than that; answers how many. Sums stay. */
  prune(retention: Retention, maxRows: number): Promise<number>;
  /** After everything that was asked before. */
  close(): Promise<void>;
}

export interface Retention {
  /** Days of events that were over before that instant, and gaps and losses that were seen before it. */
  eventsBeforeMs: number;
  /** Minutes, hours and edges whose last denial was before that instant, by the clock of its point. */
  rollupsBeforeMs: number;
}

/** What was read of a log. */
export interface LogBatchToStore {
  point: string;
  log: string;
  storedMs: number;
  events: readonly DenyEvent[];
  unparsed: readonly Unparsed[];
  cursors: readonly CursorChange[];
  losses: readonly Loss[];
}

/** What a listener received. Their numbers decide what of it is new. */
export interface NumberedBatch {
  point: string;
  /** Where it came in, for the samples of what could not be read. */
  log: string;
  storedMs: number;
  denials: readonly NumberedDenial[];
  unparsed: readonly Unparsed[];
}

export interface NumberedDenial {
  number: SequenceNumber;
  /** null: it could not be read, its number is missing. */
  event: DenyEvent | null;
}

export interface SequenceNumber {
  tmm: number;
  epoch: string;
  /** From 1. */
  seq: number;
  /** Denials of this TMM and epoch, so far, that were left unsent to keep to a rate. */
  suppressed: number;
}

export interface NumberedResult {
  stored: StoredDenial[];
  /** Numbers that are missing since now. */
  missing: number;
  /** Numbers that were missing before. */
  late: number;
  /** Messages whose number was taken before. */
  repeated: number;
  /** By how much the running totals of the suppressed grew. */
  suppressed: number;
}

/**
 * What a spool sent; in it each record has its number. `point` names the sender, whose sequence this is. A sender may bring
 * events of other points: rows and sums are by the event's own.
 */
export interface SpoolBatch {
  point: string;
  epoch: string;
  storedMs: number;
  records: readonly SpoolRecord[];
}

/** A forwarder also sends what its log could not say: `unparsed` and `loss` are of the sender. */
export type SpoolRecord = { seq: number } & (
  | { event: DenyEvent }
  | { gap: HostGap }
  | { unparsed: Unparsed }
  | { loss: Loss }
);

/** Beside the events, what was stored now. */
export type SpoolResult = Omit<NumberedResult, 'suppressed'> & {
  uncovered: HostGap[];
  unparsed: Unparsed[];
  losses: Loss[];
};

export interface QuarantinedLine {
  point: string;
  cause: UnparsedCause;
  sample: string;
}

export interface StoredDenial {
  /** Grows with every denial stored; never used again. */
  id: number;
  event: DenyEvent;
}

export interface DenialQuery {
  sinceMs?: number | undefined;
  /** Only what was stored after this id: the next page. */
  afterId?: number | undefined;
  point?: string | undefined;
  object?: string | undefined;
  source?: string | undefined;
  ref?: string | undefined;
  id?: number | undefined;
  /** 1 to 10,000; 1,000 unless told. */
  limit?: number | undefined;
  /** The newest `limit` instead of the oldest; oldest first all the same. */
  newest?: boolean | undefined;
}

export interface Gap {
  point: string;
  tmm: number;
  epoch: string;
  first: number;
  last: number;
  seenMs: number;
}

export interface Uncovered {
  point: string;
  cause: GapCause;
  count: number;
  /** ISO times, by the clock of the point. */
  windowStart: string;
  windowEnd: string;
}

export interface UncoveredQuery {
  sinceMs?: number | undefined;
  point?: string | undefined;
}

export interface EnforcedCount {
  /** What the point calls it. Not its name: under a new name the same running total would be added once more. */
  object: string;
  reason: string;
  /** Denials since the point's counters began, `would-deny` included. */
  count: number;
}
