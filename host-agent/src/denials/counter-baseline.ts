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

export function countedSince(
  baseline: Baseline,
  counters: readonly DenyCounter[],
  final: FinalCounters = none,
): Counted {
  const found = new Map(counters.map((counter) => [keyOf(counter), counter.packets]));
  const read = new Map([
    ...found,
    ...final.map(([key, packets]) => [key, Math.max(packets, found.get(key) ?? 0)] as const),
  ]);
  let added = 0;
  for (const [key, packets] of read) {
    const before = baseline[key] ?? 0;
    added += packets >= before ? packets - before : packets;
  }
  const lost = Object.entries(baseline).some(([key, packets]) => (read.get(key) ?? -1) < packets);
  const next = Object.fromEntries([...read].filter(([key]) => found.has(key)));
  return { added, next, lost };
}

/** Counters that went, with the last that was read of each. */
export type FinalCounters = readonly (readonly [key: string, packets: number])[];

const none: FinalCounters = [];

export function keyOf({ family, hook, generation }: DenyCounter): string {
  return `${family} ${hook} ${generation}`;
}
