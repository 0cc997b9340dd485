import type { Labels } from '@edgeward/policy';
import { createColumn, createPlaces } from './column.ts';

/**
 * Each set of labels that some workload has, once. An estate of a million workloads has some thousands of them; a set is
 * one text, `key=value` a line in the order of the keys, and goes with the last workload that has it.
 */
export interface LabelSets {
  readonly size: number;
  /** The number of the set, for one more workload that has it. */
  take(text: string): number;
  /** Whether it was the last. */
  release(set: number): boolean;
  textOf(set: number): string;
  sets(): Iterable<number>;
}

export function createLabelSets(): LabelSets {
  const numbers = new Map<string, number>();
  const texts: string[] = [];
  const uses = createColumn();
  const places = createPlaces();
  return {
    get size() {
      return numbers.size;
    },
    take: (text) => {
      const set = numbers.get(text) ?? places.take();
      if (uses.at(set) === 0) {
        numbers.set(text, set);
        texts[set] = text;
      }
      uses.put(set, uses.at(set) + 1);
      return set;
    },
    release: (set) => {
      uses.put(set, uses.at(set) - 1);
      if (uses.at(set) > 0) return false;
      numbers.delete(texts[set] as string);
      texts[set] = '';
      places.giveBack(set);
      return true;
    },
    textOf: (set) => texts[set] as string,
    sets: () => numbers.values(),
  };
}

/** Neither a key nor a value can hold `=` or the end of a line. */
export function textOfLabels(labels: Labels): string {
  const keys = Object.keys(labels).sort();
  return keys.map((key) => `${key}=${labels[key]}`).join('\n');
}

export function labelsOfText(text: string): Labels {
  const labels: Labels = Object.create(null);
  for (const [key, value] of pairsOfText(text)) labels[key] = value;
  return labels;
}

export function pairsOfText(text: string): [key: string, value: string][] {
  if (text === '') return [];
  return text.split('\n').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
}
