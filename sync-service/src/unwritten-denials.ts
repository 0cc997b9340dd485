/**
 * Denials that an NGINX could not write to its deny log: it counts them anew in each of its lives, and here they add up.
 * What was counted in a life that had ended before this process began is not known.
 */
export interface UnwrittenDenials {
  /** What NGINX counts now. `epoch` names its life. */
  read(point: string, epoch: string | null, total: number): void;
  totals(): ReadonlyMap<string, number>;
}

export function countUnwritten(): UnwrittenDenials {
  const lives = new Map<string, { epoch: string | null; before: number; now: number }>();
  return {
    read(point, epoch, total) {
      const life = lives.get(point) ?? { epoch, before: 0, now: 0 };
      // Without a name for its life, a counter that fell has begun anew.
      const isAnother = epoch === null ? total < life.now : epoch !== life.epoch;
      const before = isAnother ? life.before + life.now : life.before;
      lives.set(point, { epoch, before, now: total });
    },
    totals: () => new Map([...lives].map(([point, { before, now }]) => [point, before + now])),
  };
}
