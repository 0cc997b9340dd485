/**
 * Exact counts over generations: counters of rules begin at 0 with each generation, each boot, and wherever somebody writes
 * our rules anew. What was added since the last look is what they have more, or all that they have where they began again. Pure.
 */
import type { DenyCounter } from '../../driver/index.ts';

/** Packets of each counter when it was last read. */
export type Baseline = Readonly<Record<string, number>>;

export interface Counted {
  added: number;
  next: Baseline;
  /** One that was read before is gone, or began again: what it had beyond is not known. */
  lost: boolean;
}

export function countedSince(baseline: Baseline, counters: readonly DenyCounter[]): Counted {
  let added = 0;
  const next: Record<string, number> = {};
  for (const { family, hook, generation, packets } of counters) {
    const key = `${family} ${hook} ${generation}`;
    const before = baseline[key] ?? 0;
    added += packets >= before ? packets - before : packets;
    next[key] = packets;
  }
  const lost = Object.entries(baseline).some(([key, packets]) => (next[key] ?? -1) < packets);
  return { added, next, lost };
}
