/** How old what points hold is, all the time: since when there has been something newer. Measured, and nothing is claimed. */
import type { Stage } from './stage.ts';
import type { Watch } from './watch.ts';

export interface Ages {
  /** Stops, and says it in a line. */
  told(): string;
}

const LOOK_MS = 200;

export function measureAges({ published, machines }: Stage, watches: readonly Watch[]): Ages {
  const ages: number[] = [];
  const timer = setInterval(() => {
    for (const { point, revision } of watches) {
      const held = published.at(point, revision());
      if (held !== null) ages.push(Math.max(0, Date.now() - machines.writtenAtMs(held.number + 1)));
    }
  }, LOOK_MS).unref();
  return {
    told() {
      clearInterval(timer);
      const sorted = ages.toSorted((a, b) => a - b);
      const at = (share: number): string =>
        `${((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) / 1000).toFixed(1)} s`;
      return `out of date, faults and all: ${at(0.5)} at the median, ${at(0.95)} at 95 of 100, ${at(1)} at most`;
    },
  };
}
