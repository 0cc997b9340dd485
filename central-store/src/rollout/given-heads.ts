/**
 * Which heads each point was given: exactly these, as a number that it was not given says nothing about it. A point may be late
 * by any number of heads, so neighbouring revisions are kept as one range. A publication that leaves a point out breaks its
 * range; only past a bound for all points together is anything forgotten, the oldest of whoever has most.
 */
export interface GivenHeads {
  /** Within an epoch, each is greater than the one before it, or the same again. */
  add(point: string, epoch: number, revision: number): void;
  has(point: string, epoch: number, revision: number): boolean;
  /** All heads of the point. */
  forget(point: string): void;
}

/**
 * At most 70 MB in all, as measured: room for 400 ranges at every one of 5,000 points which all apply nothing, and for two
 * million at one that is late alone. A head that is forgotten does not count, and the next one that is applied does.
 */
const MAX_RANGES = 2_000_000;

/** Where a range begins, where it has ended, and so on: half open, ascending. */
type Bounds = number[];

export function createGivenHeads(maxRanges: number = MAX_RANGES): GivenHeads {
  /** By point, then by epoch. */
  const points = new Map<string, Map<number, Bounds>>();
  let ranges = 0;

  function boundsOf(point: string, epoch: number): Bounds {
    const epochs = points.get(point) ?? new Map<number, Bounds>();
    const bounds = epochs.get(epoch) ?? [];
    points.set(point, epochs.set(epoch, bounds));
    return bounds;
  }

  function makeRoom(): void {
    let most: Bounds = [];
    for (const epochs of points.values())
      for (const bounds of epochs.values()) if (bounds.length > most.length) most = bounds;
    // Half of them at once: looking through all points for each new range would be dear.
    const gone = Math.ceil(most.length / 4);
    most.splice(0, 2 * gone);
    ranges -= gone;
  }

  return {
    add(point, epoch, revision) {
      const bounds = boundsOf(point, epoch);
      const end = bounds.at(-1) ?? Number.NEGATIVE_INFINITY;
      if (revision < end) return;
      if (revision === end) bounds[bounds.length - 1] = revision + 1;
      else {
        if (ranges >= maxRanges) makeRoom();
        bounds.push(revision, revision + 1);
        ranges += 1;
      }
    },
    has(point, epoch, revision) {
      const bounds = points.get(point)?.get(epoch) ?? [];
      // After an odd number of bounds a range has begun and not ended.
      return countUpTo(bounds, revision) % 2 === 1;
    },
    forget(point) {
      for (const bounds of points.get(point)?.values() ?? []) ranges -= bounds.length / 2;
      points.delete(point);
    },
  };
}

/** How many of the bounds are at or before the revision. Reports are looked at by the thousand. */
function countUpTo(bounds: Bounds, revision: number): number {
  let [low, high] = [0, bounds.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] ?? 0) <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
