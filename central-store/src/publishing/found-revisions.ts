/**
 * Numbers that points are said to hold and that this store never gave them: from a directory that served them before, or
 * from a store key that was stolen. A point that knows only the number refuses whatever is below it, so the store has to
 * number above; but who says it is the holder of one point's certificate, who may lie.
 */
export interface FoundRevisions {
  /**
   * Whether to number above it now. Else it waits for a new epoch, which only people can begin. `isNew`: it was not said of
   * this point before.
   */
  found(point: string, revision: number): { isTaken: boolean; isNew: boolean };
  /** The greatest that waits, or 0; forgotten with that. */
  forNewEpoch(): number;
}

/**
 * Whoever reports for one point could otherwise drive up the numbers of all: a point that was away meanwhile would find a
 * head too far from what it holds, for ever (`LIMITS.revisionsAtOnce`).
 */
const MOST_AT_ONCE = 2 ** 31;
/** In a new epoch every point takes any number. A liar must not leave too few for all that comes after. */
const MOST_EVER = 2 ** 49;

export function createFoundRevisions(): FoundRevisions {
  const waiting = new Map<string, number>();
  return {
    found(point, revision) {
      if (revision < MOST_AT_ONCE) return { isTaken: true, isNew: true };
      const isNew = waiting.get(point) !== revision;
      waiting.set(point, revision);
      return { isTaken: false, isNew };
    },
    forNewEpoch() {
      let most = 0;
      for (const revision of waiting.values()) if (revision < MOST_EVER) most = Math.max(most, revision);
      waiting.clear();
      return most;
    },
  };
}
