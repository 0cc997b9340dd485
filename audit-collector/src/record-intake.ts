/**
 * Records that a point keeps in a spool and sends until they are acknowledged. A record is told by point, epoch and number
 * and stored at most once, whatever comes twice, late or after a restart of ours; it is acknowledged after the commit and
 * not before. While the ledger can't be written nothing is kept here: the sender keeps it.
 */
import type { Logger } from '@edgeward/runtime';
import type { CollectorMetrics } from './collector-metrics.ts';
import { byCause, lastEventOf, type SpoolStatus } from './collector-status.ts';
import type { Labels } from './deny-event.ts';
import { type HostDenial, type HostRecord, hostDenyEvent } from './host-record.ts';
import type { Ledger, SpoolRecord, SpoolResult } from './ledger.ts';
import type { StoredDenial } from './ledger-rows.ts';
import type { SpoolMetrics } from './spool-metrics.ts';

export interface RecordIntake {
  /**
   * Stores all of it or nothing. `acknowledged` is the last number of the batch: a sender has one batch on its way, and
   * what it leaves out is missing. Throws EDW_ERR_LEDGER_….
   */
  take(point: string, epoch: string, records: readonly HostRecord[]): { acknowledged: number };
  status(): SpoolStatus[];
}

export interface RecordIntakeOptions {
  ledger: Pick<Ledger, 'storeSpooled' | 'spools' | 'uncoveredTotals' | 'totals'>;
  labels: Labels;
  now: () => number;
  logger: Logger;
  /** Runs at most once in a while for each key. */
  seldom: (key: string, run: () => void) => void;
  metrics: Pick<CollectorMetrics, 'stored'>;
  spoolMetrics: SpoolMetrics;
  onStored(stored: readonly StoredDenial[]): void;
}

export function createRecordIntake(options: RecordIntakeOptions): RecordIntake {
  const { ledger, labels, now, logger, seldom, metrics, spoolMetrics } = options;
  const isNamed = boundedNames(labels);
  const spooled = (record: HostRecord, point: string): SpoolRecord => {
    const { seq } = record;
    if (record.kind === 'gap') return { seq, gap: record };
    if (isNamed(point, record)) return { seq, event: hostDenyEvent(record, point, labels) };
    const { windowStart, windowEnd, count } = record;
    return { seq, gap: { seq, kind: 'gap', windowStart, windowEnd, cause: 'unreadable', count } };
  };

  function tellOf(point: string, { missing, uncovered }: SpoolResult): void {
    const warn = (event: string, fields: object, text: string): void =>
      seldom(`${event} ${point}`, () => logger.warn({ event, point, ...fields }, text));
    if (missing > 0) warn('spool_gap', { missing }, 'numbers of records are missing');
    const [first] = uncovered;
    if (first === undefined) return;
    const count = uncovered.reduce((sum, gap) => sum + gap.count, 0);
    warn('uncovered_denials', { cause: first.cause, count }, 'denials were counted that have no record');
  }

  return {
    take(point, epoch, records) {
      const last = records.at(-1);
      if (last === undefined) return { acknowledged: 0 };
      const batch = records.map((record) => spooled(record, point));
      const result = ledger.storeSpooled({ point, epoch, storedMs: now(), records: batch });
      spoolMetrics.taken(point, result);
      for (const { event } of result.stored) metrics.stored(event, now());
      tellOf(point, result);
      options.onStored(result.stored);
      return { acknowledged: last.seq };
    },
    status() {
      const [totals, uncovered] = [ledger.totals(), ledger.uncoveredTotals()];
      return ledger.spools().map(({ point, missing }) => {
        const gaps = byCause(uncovered, point);
        const stored = sumOf(totals.filter((total) => total.point === point));
        const observed = stored + sumOf(uncovered.filter((total) => total.point === point));
        return { point, stored, gaps, observed, missing, lastEventAt: lastEventOf(totals, point) };
      });
    },
  };
}

/** Objects that a point had before this service began, or under a policy that is long forgotten. */
const MOST_UNKNOWN = 32;

/** Totals are kept for ever, by object: a stolen host could fill the ledger with names that it makes up. */
function boundedNames(labels: Labels): (point: string, denial: HostDenial) => boolean {
  const unknown = new Map<string, Set<string>>();
  return (point, { object, revision }) => {
    if (labels.object(point, object, revision) !== null) return true;
    const names = unknown.get(point) ?? new Set();
    unknown.set(point, names);
    if (names.size < MOST_UNKNOWN) names.add(object);
    return names.has(object);
  };
}

const sumOf = (counts: readonly { count: number }[]): number => counts.reduce((sum, { count }) => sum + count, 0);
