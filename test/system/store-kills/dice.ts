/** Draws that a seed repeats. What a seed can't repeat is how long things take. */
export interface Dice {
  /** From 0 up to, but not including, `below`. */
  below(below: number): number;
  /** All of them, in another order. */
  shuffled<T>(items: readonly T[]): T[];
  /** So many, and each of them in its turn before any comes again. */
  turns<T>(count: number, items: readonly T[]): T[];
}

/** mulberry32 */
export function diceOf(seed: number): Dice {
  let state = seed;
  function below(limit: number): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }
  function shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.flatMap(() => left.splice(below(left.length), 1));
  }
  return {
    below,
    shuffled,
    turns<T>(count: number, items: readonly T[]) {
      const taken: T[] = [];
      while (taken.length < count && items.length > 0) taken.push(...shuffled(items));
      return taken.slice(0, count);
    },
  };
}
