/**
 * The last that is known of counters that went, or are about to, until a window has accounted for them. One number for each,
 * however often it is told and however long no window can be closed: there are only so many generations.
 */
import type { DenyCounter } from '../../driver/index.ts';
import { type Baseline, type Counted, countedSince, keyOf } from './counter-baseline.ts';

export interface RetiredCounters {
  add(counters: readonly DenyCounter[]): void;
  /** With what the kernel has now. */
  countedSince(baseline: Baseline, counters: readonly DenyCounter[]): CountedFinally;
}

interface CountedFinally extends Counted {
  /** They are accounted for: of those that are gone nothing is to be known any more. */
  forget(): void;
}

export function createRetired(): RetiredCounters {
  const final = new Map<string, number>();
  return {
    add: (counters) => {
      for (const counter of counters) final.set(keyOf(counter), counter.packets);
    },
    // Until they are gone: whoever reads them once more must not take them for begun again.
    countedSince: (baseline, counters) => {
      const taken = [...final];
      const counted = countedSince(baseline, counters, taken);
      const forget = (): void => {
        // What was told meanwhile was not counted.
        for (const [key, packets] of taken) if (!(key in counted.next) && final.get(key) === packets) final.delete(key);
      };
      return { ...counted, forget };
    },
  };
}
