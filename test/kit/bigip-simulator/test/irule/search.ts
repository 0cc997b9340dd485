/** How far random rules are searched: `EDGEWARD_RUNS` multiplies the cases, `EDGEWARD_SEED` repeats a run. */

export interface Search {
  seed: number;
  numRuns: number;
}

/** Says the seed as a comment of the test, so that a failure can be repeated. */
export function search(t: { comment(...args: unknown[]): void }, numRuns: number): Search {
  const times = Number(process.env.EDGEWARD_RUNS ?? 1);
  const given = Number(process.env.EDGEWARD_SEED);
  const seed = Number.isInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 0x7ffffffe);
  t.comment(`EDGEWARD_SEED=${seed}`);
  return { seed, numRuns: Math.ceil(numRuns * (times > 0 ? times : 1)) };
}
