/** What slices found, as tables: one row for each variant, one column for each size of list. */
import type { Table } from './benchmark.ts';
import type { Measured, Traffic } from './nginx-rounds.ts';
import { fixed } from './statistics.ts';

const BARE = 'bare';

/** What was measured with a list of so many CIDRs. */
export interface Sized {
  count: number;
  measured: Measured[];
}

export function found(sized: readonly Sized[], count: number, name: string, traffic: Traffic): Measured | null {
  const of = sized.find((it) => it.count === count)?.measured ?? [];
  return of.find((it) => it.variant.name === name && it.traffic === traffic) ?? null;
}

/** `0.77 (+1.9)`: share of the unprotected throughput, and microseconds beyond the bare server. */
export function shareTable(words: string, sized: readonly Sized[], traffic: Traffic): Table {
  const names = variantsOf(sized, traffic);
  return {
    head: [words, ...sized.map(({ count }) => `${count.toLocaleString('en')} CIDRs`)],
    rows: names.map(([name, shown]) => [
      shown,
      ...sized.map(({ count }) => {
        const it = found(sized, count, name, name === BARE ? 'allowed' : traffic);
        if (it === null) return '–';
        return it.variant.bare
          ? `${fixed(it.micros)} µs`
          : `${it.share.toFixed(2)} (${it.addedMicros < 0 ? '' : '+'}${fixed(it.addedMicros)})`;
      }),
    ]),
  };
}

export function detailTable(words: string, measured: readonly Measured[]): Table {
  return {
    head: [words, 'traffic', 'CPU µs', 'added µs (quartiles)', 'requests/s', 'of a core', 'p99 ms'],
    rows: measured.map((it) => [
      it.variant.words,
      it.traffic,
      fixed(it.micros),
      it.variant.bare ? '–' : `${fixed(it.addedMicros)} (${it.addedQuartiles.map(fixed).join(' – ')})`,
      fixed(it.perSecond),
      it.busy.toFixed(2),
      fixed(it.p99Ms),
    ]),
  };
}

export function wrongVerdicts(sized: readonly Sized[]): string {
  const all = sized.flatMap(({ measured }) => measured);
  const sum = (of: (it: Measured) => number): string =>
    all.reduce((total, it) => total + of(it), 0).toLocaleString('en');
  return `Wrong verdicts: ${sum((it) => it.wrong)} of ${sum((it) => it.asked)} requests.`;
}

/** The bare server lets everybody in, and stands above both. */
function variantsOf(sized: readonly Sized[], traffic: Traffic): [name: string, words: string][] {
  const names = new Map<string, string>();
  for (const { measured } of sized) {
    for (const { variant, traffic: own } of measured)
      if (own === traffic || variant.bare) names.set(variant.name, variant.words);
  }
  return [...names];
}
