/**
 * How many records each sender may bring: so many a second over time, and twenty seconds' worth at once. What one does is no
 * other's loss. It counts and decides; it never waits.
 */
export interface RecordQuota {
  /** Before anything is read: 0 where the sender may come, else in how many milliseconds. */
  waitMs(sender: string, nowMs: number): number;
  /** 0 where so many are within what is left, and then they are counted; else in how many milliseconds they would be. */
  take(sender: string, records: number, nowMs: number): number;
}

/** A flood that ended is caught up with at once; a batch is never more than this. */
const BURST_S = 20;

interface Allowance {
  left: number;
  atMs: number;
  /** What it was last sent away with: before there is as much it need not come. */
  wanted: number;
}

export function createRecordQuota(perSecond: number): RecordQuota {
  const most = perSecond * BURST_S;
  const perMs = perSecond / 1000;
  const allowances = new Map<string, Allowance>();

  function allowanceOf(sender: string, nowMs: number): Allowance {
    const known = allowances.get(sender) ?? { left: most, atMs: nowMs, wanted: 0 };
    // A clock that is set back gives nothing and takes nothing.
    const left = Math.min(most, known.left + Math.max(0, nowMs - known.atMs) * perMs);
    const allowance = { ...known, left, atMs: nowMs };
    allowances.set(sender, allowance);
    return allowance;
  }

  const waitFor = (wanted: number, { left }: Allowance): number => Math.max(0, Math.ceil((wanted - left) / perMs));

  return {
    waitMs(sender, nowMs) {
      const allowance = allowanceOf(sender, nowMs);
      return waitFor(allowance.wanted, allowance);
    },
    take(sender, records, nowMs) {
      const allowance = allowanceOf(sender, nowMs);
      const wanted = Math.min(records, most);
      const waitMs = waitFor(wanted, allowance);
      if (waitMs === 0) allowance.left -= wanted;
      allowance.wanted = waitMs === 0 ? 0 : wanted;
      return waitMs;
    },
  };
}
