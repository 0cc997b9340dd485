/** How much chance a run takes. Every test that uses it prints the seed, and repeats with it. */
export const runs = (normal: number): number => normal * Math.max(1, Number(process.env.EDGEWARD_RUNS ?? 1) || 1);

export const seed = (): number => {
  const asked = Number(process.env.EDGEWARD_SEED);
  return Number.isInteger(asked) && asked !== 0 ? asked : Math.floor(Math.random() * 2 ** 31);
};
