/** Few numbers about many. Quantiles are the nearest rank: each is a value that was measured. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Median, p90, p99 and greatest, in milliseconds, as cells of a table. */
export function spread(valuesMs: readonly number[]): string[] {
  return [0.5, 0.9, 0.99, 1].map((share) => fixed(quantile(valuesMs, share)));
}

export const SPREAD_HEAD: string[] = ['median', 'p90', 'p99', 'greatest'];

/** Three digits that mean something; more would be noise. */
export function fixed(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
