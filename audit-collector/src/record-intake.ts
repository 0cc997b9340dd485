/**
 * Records that somebody numbers, keeps and sends until they are acknowledged: a host, a forwarder, a service that relays. A
 * record is told by sender, epoch and number and stored at most once, whatever comes twice, late or after a restart of ours;
 * it is acknowledged after the commit and not before. While the ledger can't be written nothing is kept here: the sender
 * keeps it.
 */
import { sampleOf } from '@edgeward/deny-log';
import { createRateLimit, type Logger } from '@edgeward/runtime';
import type { BatchRecord } from './batches/batch-reading.ts';
import type { ClaimedCounts } from './claimed-counts.ts';
import type { CollectorMetrics } from './collector-metrics.ts';
import { byCause, lastEventOf, type SpoolStatus } from './collector-status.ts';
import { type DenyEvent, denyEvent, type Labels } from './deny-event.ts';
import { type HostRecord, hostDenyEvent, windowOf } from './host-record.ts';
import type { Ledger, SpoolRecord, SpoolResult, StoredDenial } from './ledger/ledger.ts';
import type { NumberMetrics } from './number-metrics.ts';

export interface RecordIntake {
  /**
   * Stores all of it or nothing. `acknowledged` is the last number of the batch: a sender has one batch on its way, and
   * what it leaves out is missing. Rejects with EDW_ERR_LEDGER_….
   */
  take(point: string, epoch: string, records: readonly HostRecord[]): Promise<{ acknowledged: number }>;
  /** The same for a batch (docs/batches.md), which was read for this sender. */
  takeBatch(sender: string, epoch: string, records: readonly BatchRecord[]): Promise<{ acknowledged: number }>;
  status(): SpoolStatus[];
}

export interface RecordIntakeOptions {
  ledger: Pick<Ledger, 'storeSpooled' | 'sums'>;
  labels: Labels;
  claimed: ClaimedCounts;
  now: () => number;
  logger: Logger;
  /** Runs at most once in a while for each key. */
  seldom: (key: string, run: () => void) => void;
  metrics: Pick<CollectorMetrics, 'stored' | 'unparsed' | 'lost'>;
  numberMetrics: Pick<NumberMetrics, 'taken'>;
  onStored(stored: readonly StoredDenial[]): void;
  /** Objects that one sender may name and the policy does not have: 32. Where no policy is known it has none of them. */
  mostUnknownObjects?: number | undefined;
}

export function createRecordIntake(options: RecordIntakeOptions): RecordIntake {
  const { ledger, labels, claimed, now, logger, seldom, metrics, numberMetrics } = options;
  const losses = createRateLimit(LOSSES);
  const isNamed = boundedNames(labels, options.mostUnknownObjects ?? MOST_UNKNOWN);
  const ofHost = (record: HostRecord, point: string): SpoolRecord => {
    const { seq } = record;
    if (!claimed(point, record.count)) return notBelieved(seq, record);
    if (record.kind === 'gap') return { seq, gap: record };
    const isKnown = isNamed(point, { ...record, point });
    return isKnown ? { seq, event: hostDenyEvent(record, point, labels) } : unnamed(seq, record);
  };
  const ofBatch = (record: BatchRecord, sender: string): SpoolRecord => {
    const { seq } = record;
    if (!claimed(sender, countOf(record))) return notBelieved(seq, record);
    if (record.kind === 'event') {
      const { event } = record;
      return isNamed(sender, event) ? { seq, event } : unnamed(seq, event);
    }
    if (record.kind === 'gap') return { seq, gap: { ...record, ...windowOf(record) } };
    if (record.kind === 'unparsed') return { seq, unparsed: { cause: record.cause, sample: record.sample } };
    if (record.kind === 'loss') {
      if (losses.take(sender, now()) === 0) return { seq, loss: record };
      return notBelieved(seq, record);
    }
    const event = repeatedEvent(denyEvent(record.denial, sender, labels), record);
    return isNamed(sender, { ...record.denial, point: sender }) ? { seq, event } : unnamed(seq, event);
  };

  async function store(
    sender: string,
    epoch: string,
    batch: readonly SpoolRecord[],
  ): Promise<{ acknowledged: number }> {
    const last = batch.at(-1);
    if (last === undefined) return { acknowledged: 0 };
    const result = await ledger.storeSpooled({ point: sender, epoch, storedMs: now(), records: batch });
    numberMetrics.taken(sender, result);
    metrics.stored(result.stored, now());
    for (const { cause } of result.unparsed) metrics.unparsed(sender, cause);
    for (const { cause } of result.losses) metrics.lost(sender, cause);
    tellOf(sender, result);
    options.onStored(result.stored);
    return { acknowledged: last.seq };
  }

  function tellOf(point: string, { missing, uncovered, unparsed, losses }: SpoolResult): void {
    const warn = (event: string, fields: object, text: string): void =>
      seldom(`${event} ${point}`, () => logger.warn({ event, point, ...fields }, text));
    if (missing > 0) warn('spool_gap', { missing }, 'numbers of records are missing');
    if (losses[0] !== undefined) warn('deny_log_loss', { ...losses[0], places: losses.length }, 'lines may be lost');
    if (unparsed[0] !== undefined) warn('deny_line_unparsed', unparsed[0], 'kept');
    const [first] = uncovered;
    if (first === undefined) return;
    const count = uncovered.reduce((sum, gap) => sum + gap.count, 0);
    warn('uncovered_denials', { cause: first.cause, count }, 'denials were counted that have no record');
  }

  return {
    take: (point, epoch, records) =>
      store(
        point,
        epoch,
        records.map((record) => ofHost(record, point)),
      ),
    takeBatch: (sender, epoch, records) =>
      store(
        sender,
        epoch,
        records.map((record) => ofBatch(record, sender)),
      ),
    status() {
      const { totals, uncovered, spools, unparsed, losses } = ledger.sums();
      return spools.map(({ point, missing }) => {
        const gaps = byCause(uncovered, point);
        const stored = sumOf(totals.filter((total) => total.point === point));
        const observed = stored + sumOf(uncovered.filter((total) => total.point === point));
        const found = { unparsed: byCause(unparsed, point), losses: byCause(losses, point) };
        return { point, stored, gaps, observed, missing, ...found, lastEventAt: lastEventOf(totals, point) };
      });
    },
  };
}

/** Equal denials of a window; a clock that was set back within it turns it around. */
function repeatedEvent(
  event: DenyEvent,
  { count = 1, firstMs }: { count?: number | undefined; firstMs?: number | undefined },
): DenyEvent {
  if (count === 1 && firstMs === undefined) return event;
  const first = firstMs === undefined ? event.time : new Date(firstMs).toISOString();
  const window = windowOf({ windowStart: first, windowEnd: event.windowEnd });
  return { ...event, count, ...window, time: window.windowEnd };
}

/** Denials that a record stands for, wherever it says so; a line that could not be read is one. */
function countOf(record: BatchRecord): number {
  if (record.kind === 'event') return record.event.count;
  if (record.kind === 'denial') return Math.max(record.count ?? 1, record.denial.count ?? 1);
  return record.kind === 'gap' ? record.count : 1;
}

/** Its number is taken, so that it does not come again; what it said can be looked at. */
function notBelieved(seq: number, record: object): SpoolRecord {
  return { seq, unparsed: { cause: 'no-record', sample: sampleOf(JSON.stringify(record)) } };
}

/** It was denied, and its name is not believed: what is left of it is its count. */
function unnamed(
  seq: number,
  { windowStart, windowEnd, count }: Pick<DenyEvent, 'windowStart' | 'windowEnd' | 'count'>,
): SpoolRecord {
  return { seq, gap: { seq, kind: 'gap', windowStart, windowEnd, cause: 'unreadable', count } };
}

/** Objects that a point had before this service began, or under a policy that is long forgotten. */
const MOST_UNKNOWN = 32;

/** Each is a row, and a log has one at a rotation that went wrong: more of them is somebody who makes them up. */
const LOSSES = { perSecond: 1 / 30, burst: 1_000 };

interface Named {
  point: string;
  object: string;
  revision: number;
}

/** Totals are kept for ever, by point and object: a stolen key could fill the ledger with names that it makes up. */
function boundedNames(labels: Labels, most: number): (sender: string, named: Named) => boolean {
  const unknown = new Map<string, Set<string>>();
  return (sender, { point, object, revision }) => {
    if (labels.object(point, object, revision) !== null) return true;
    const names = unknown.get(sender) ?? new Set();
    unknown.set(sender, names);
    const name = JSON.stringify([point, object]);
    if (names.size < most) names.add(name);
    return names.has(name);
  };
}

const sumOf = (counts: readonly { count: number }[]): number => counts.reduce((sum, { count }) => sum + count, 0);
