/**
 * How far a host is believed about the revision that it holds. Whoever numbers revisions numbers above what a point holds, for
 * every point: a stolen host could drive the numbers up, or have everything published again and again. What this service
 * laid out is believed; a little more is believed once, as of a service that was set back to a backup; nothing else is.
 */
export interface ClaimedRevision {
  /** `given` is the newest that was laid out here; null before the first. */
  isBelieved(claimed: number, given: number | null): boolean;
}

/** Many years of edits by hand, or the days since a backup with an inventory that never rests. */
const BACKUP_GAP = 10_000;

export function createClaimedRevision(): ClaimedRevision {
  let first: number | null = null;
  let believed: number | null = null;
  return {
    isBelieved(claimed, given) {
      if (given === null) return false;
      first ??= given;
      if (claimed <= given || claimed === believed) return true;
      if (believed !== null || claimed > first + BACKUP_GAP) return false;
      believed = claimed;
      return true;
    },
  };
}
