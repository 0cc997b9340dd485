/**
 * How far the properties are searched. Each run takes a new seed and prints it; `EDGEWARD_SEED` repeats one, and
 * `EDGEWARD_RUNS` multiplies how many cases are tried, for a soak.
 */
import type { Search } from './claims/claim.ts';

export function seedOfRun(): number {
  const given = Number(process.env.EDGEWARD_SEED);
  return Number.isInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 0x7ffffffe);
}

/** Says the seed as a comment of the test, so that a failure can be repeated. */
export function search(t: { comment(...args: unknown[]): void }, numRuns: number): Search {
  const times = Number(process.env.EDGEWARD_RUNS ?? 1);
  const seed = seedOfRun();
  t.comment(`EDGEWARD_SEED=${seed}`);
  return { seed, numRuns: Math.ceil(numRuns * (times > 0 ? times : 1)) };
}
