/**
 * How the books of a point are closed where its own counter and its lines differ. What it counted and has no line of is a gap,
 * cause `unlogged`. What is here and was not counted is either a line that was late, which takes that gap back, or was counted
 * by an NGINX that ended before it was asked: that is added to what was counted, or it would hide as many losses for ever.
 * Pure: a ledger holds the rows.
 */
import type { HostGap } from '../host-record.ts';

export interface Settling {
  point: string;
  /** The life of the point whose counter was read. */
  epoch: string | null;
  /** The sums that this was reckoned from. Where they are others, it was done before, and nothing is done. */
  from: { unlogged: number; uncounted: number };
  /** Above 0: so many were counted, and no line of them will come. Below: so many are here beyond what was counted. */
  left: number;
  /** When it was seen that they are missing. Their window begins when the books were closed last. */
  seenMs: number;
  storedMs: number;
}

/** By how much the sums changed. */
export interface Settled {
  unlogged: number;
  uncounted: number;
}

export interface Settlement {
  epoch: string;
  /** Gaps of that life: nobody else's are taken back by a late line. */
  unlogged: number;
  /** Over all lives. */
  uncounted: number;
  /** null: not known. */
  closedMs: number | null;
}

/** Under which the uncounted stand among the counters of a point, without an object. */
export const UNCOUNTED = 'uncounted';

/** null: it was reckoned from something else. */
export function settle(
  known: Settlement | null,
  unlogged: number,
  { epoch, from, left }: Settling,
): { settlement: Settlement; settled: Settled } | null {
  const life = epoch ?? '';
  const { uncounted = 0, closedMs = null } = known ?? {};
  if (from.unlogged !== unlogged || from.uncounted !== uncounted) return null;
  const ofLife = known?.epoch === life ? known.unlogged : 0;
  const late = left > 0 ? 0 : Math.min(-left, ofLife, unlogged);
  const settled = left > 0 ? { unlogged: left, uncounted: 0 } : { unlogged: -late, uncounted: -left - late };
  return {
    settled,
    settlement: {
      epoch: life,
      unlogged: ofLife + settled.unlogged,
      uncounted: uncounted + settled.uncounted,
      closedMs,
    },
  };
}

export const nothingSettled: Settled = { unlogged: 0, uncounted: 0 };

export function gapOf({ left, seenMs }: Settling, { closedMs }: Settlement): HostGap {
  const [windowStart, windowEnd] = [new Date(closedMs ?? seenMs).toISOString(), new Date(seenMs).toISOString()];
  return { seq: 0, kind: 'gap', cause: 'unlogged', count: left, windowStart, windowEnd };
}
