/**
 * Numbers that points are said to hold and that this store never gave them: from a directory that served them before, or
 * from a store key that was stolen. A point that knows only the number refuses whatever is below it, so the store has to
 * number above; but who says it is the holder of one point's certificate, who may lie.
 */
import { LIMITS } from '@edgeward/policy-format';

export interface FoundRevisions {
  /**
   * Whether to number above it now. Else it waits for a new epoch, which only people can begin. `isNew`: it was not said of
   * this point before.
   */
  found(point: string, revision: number): { isTaken: boolean; isNew: boolean };
  /** The greatest that waits and that an earlier epoch can have had, or 0; forgotten with that. */
  forEpoch(epoch: number): number;
}

/**
 * Whoever reports for one point could otherwise drive up the numbers of all: a point that was away meanwhile would find a
 * head too far from what it holds, for ever (`LIMITS.revisionsAtOnce`).
 */
const MOST_AT_ONCE = 2 ** 31;

export function createFoundRevisions(): FoundRevisions {
  const waiting = new Map<string, number>();
  return {
    found(point, revision) {
      if (revision < MOST_AT_ONCE) return { isTaken: true, isNew: true };
      const isNew = waiting.get(point) !== revision;
      waiting.set(point, revision);
      return { isTaken: false, isNew };
    },
    forEpoch(epoch) {
      // No point takes more in the epochs before, so whatever is greater is a lie.
      const possible = LIMITS.revisionsAnEpoch * epoch;
      let most = 0;
      for (const revision of waiting.values()) if (revision <= possible) most = Math.max(most, revision);
      waiting.clear();
      return most;
    },
  };
}
