/**
 * The sums of a ledger over all time, kept in memory: a scrape and the status read them and wait for no query. Every commit
 * brings the rows that it changed, as they are since then, so that what another process added to them is in them too.
 */
import type { LossCause, UnparsedCause } from '@edgeward/deny-log';
import type { DenyEvent } from '../deny-event.ts';
import type { GapCause } from '../host-record.ts';
import { instantMs } from '../instants.ts';
import type { EnforcedCount } from './ledger.ts';
import { rowKey } from './row-key.ts';

/** As large as a count can be and be read back exactly: whatever a point claims, everybody's counts can be read. */
export const mostCounted: number = Number.MAX_SAFE_INTEGER;

/** Of each kind sorted by point, and by what follows it. */
export interface LedgerSums {
  totals: Total[];
  unparsed: CauseCount<UnparsedCause>[];
  losses: CauseCount<LossCause>[];
  /** Of points that number their denials, over all lives: what each observed is the sum. */
  sequences: SequenceTotal[];
  /** Of points that send from a spool, over all epochs: of records. */
  spools: SequenceTotal[];
  /** Denials that a point counted and has no record of. */
  uncovered: CauseCount<GapCause>[];
  enforced: EnforcedTotal[];
}

export interface Total {
  point: string;
  object: string;
  reason: DenyEvent['reason'];
  verdict: DenyEvent['verdict'];
  count: number;
  /** Time of the last event stored. */
  lastMs: number;
}

export interface CauseCount<Cause extends string> {
  point: string;
  cause: Cause;
  count: number;
}

export interface SequenceTotal {
  point: string;
  stored: number;
  missing: number;
  suppressed: number;
}

export interface EnforcedTotal extends EnforcedCount {
  point: string;
}

/** What these events add to the totals; each key once. */
export function totalsOf(events: readonly DenyEvent[]): Total[] {
  const sums = new Map<string, Total>();
  for (const { point, object, reason, verdict, count, time } of events) {
    const key = rowKey([point, object, reason, verdict]);
    const sum = sums.get(key);
    const lastMs = instantMs(time);
    if (sum === undefined) sums.set(key, { point, object, reason, verdict, count, lastMs });
    else {
      sum.count = Math.min(mostCounted, sum.count + count);
      sum.lastMs = Math.max(sum.lastMs, lastMs);
    }
  }
  return [...sums.values()];
}

type Row = { point: string } & Partial<Record<'object' | 'reason' | 'verdict' | 'cause', string>>;

export interface SumsInMemory {
  /** Rows as they are now, each instead of the one that it had been. */
  put(changed: Partial<LedgerSums>): void;
  read(): LedgerSums;
}

export function sumsInMemory(opened: LedgerSums): SumsInMemory {
  const totals = rowsByKey(opened.totals);
  const unparsed = rowsByKey(opened.unparsed);
  const losses = rowsByKey(opened.losses);
  const sequences = rowsByKey(opened.sequences);
  const spools = rowsByKey(opened.spools);
  const uncovered = rowsByKey(opened.uncovered);
  const enforced = rowsByKey(opened.enforced);
  return {
    put(changed) {
      totals.put(changed.totals);
      unparsed.put(changed.unparsed);
      losses.put(changed.losses);
      sequences.put(changed.sequences);
      spools.put(changed.spools);
      uncovered.put(changed.uncovered);
      enforced.put(changed.enforced);
    },
    read: () => ({
      totals: totals.sorted(),
      unparsed: unparsed.sorted(),
      losses: losses.sorted(),
      sequences: sequences.sorted(),
      spools: spools.sorted(),
      uncovered: uncovered.sorted(),
      enforced: enforced.sorted(),
    }),
  };
}

interface KeyedRows<Kept extends Row> {
  put(rows?: readonly Kept[]): void;
  sorted(): Kept[];
}

function rowsByKey<Kept extends Row>(opened: readonly Kept[]): KeyedRows<Kept> {
  const byKey = new Map<string, Kept>();
  // Keys come seldom and are read often: sorted again only after a new one.
  let keys: string[] | null = null;
  const put = (rows: readonly Kept[] = []): void => {
    for (const row of rows) {
      const key = keyOf(row);
      if (!byKey.has(key)) keys = null;
      byKey.set(key, row);
    }
  };
  put(opened);
  return {
    put,
    sorted() {
      keys ??= [...byKey.keys()].sort();
      return keys.flatMap((key) => byKey.get(key) ?? []);
    },
  };
}

/** As JSON, because a name may hold whatever would stand between two of them. */
function keyOf({ point, object = '', reason = '', verdict = '', cause = '' }: Row): string {
  return JSON.stringify([point, object, reason, verdict, cause]);
}
