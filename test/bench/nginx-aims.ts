/** What was aimed at, what came out, and whether that is enough: said with the number, whichever way it went. */
import type { Table } from './benchmark.ts';

export interface Aim {
  words: string;
  /** Not a number: it was not measured in this run. */
  measured: number;
  /** At least, or at most. */
  least?: number;
  most?: number;
  shown: (value: number) => string;
}

export function aimTable(aims: readonly Aim[]): Table {
  return {
    head: ['aim', 'wanted', 'measured', ''],
    rows: aims
      .filter(({ measured }) => !Number.isNaN(measured))
      .map(({ words, measured, least, most, shown }) => {
        const wanted = least === undefined ? `at most ${shown(most ?? 0)}` : `at least ${shown(least)}`;
        const met = least === undefined ? measured <= (most ?? 0) : measured >= least;
        return [words, wanted, shown(measured), met ? 'met' : 'missed'];
      }),
  };
}

/** The least of what was measured; not a number where nothing was. */
export function worst(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? Number.NaN : Math.min(...known);
}

export const asShare = (value: number): string => value.toFixed(2);
