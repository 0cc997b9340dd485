import { type LabelCondition, type Selector, selects } from '@edgeward/policy';
import { labelsOfText, pairsOfText } from './label-sets.ts';

/**
 * Labels → which of many selectors select them, without asking each. Every alternative of a selector hangs on one of its
 * conditions, the rarest; only alternatives that hang on a label at hand, or on none, are evaluated.
 */
export interface SelectorIndex {
  /** What of a set of labels any selector can tell: sets with equal profiles are selected alike. */
  profileOf(labels: string): string;
  /** Places in the list of selectors, ascending. */
  select(labels: string): Uint32Array;
}

interface Alternative {
  place: number;
  conditions: LabelCondition[];
}

type Anchors = Map<string, Alternative[]>;

/** The same for whatever is selected by nothing: compared by identity. */
export const NONE: Uint32Array = new Uint32Array(0);

export function indexSelectors(selectors: readonly Selector[]): SelectorIndex {
  const alternatives = selectors.flatMap((selector, place) => selector.map((conditions) => ({ place, conditions })));
  const anchors = anchored(alternatives);
  const asked = askedValues(alternatives);
  return {
    profileOf: (text) => profileOf(text, asked),
    select: (text) => {
      const found = new Set<number>();
      const labels = labelsOfText(text);
      for (const anchor of anchorsOf(text)) {
        for (const { place, conditions } of anchors.get(anchor) ?? []) {
          if (!found.has(place) && selects([conditions], labels)) found.add(place);
        }
      }
      return found.size === 0 ? NONE : new Uint32Array(found).sort();
    },
  };
}

/** What alternatives may hang on for these labels: a label with its value, a label, nothing. */
function anchorsOf(text: string): string[] {
  return ['', ...pairsOfText(text).flatMap(([key, value]) => [key, `${key}=${value}`])];
}

function anchored(alternatives: Alternative[]): Anchors {
  const uses = new Map<string, number>();
  for (const { conditions } of alternatives)
    for (const condition of conditions)
      for (const anchor of anchorsFor(condition)) uses.set(anchor, (uses.get(anchor) ?? 0) + 1);
  const anchors: Anchors = new Map();
  for (const alternative of alternatives) {
    for (const anchor of rarest(alternative.conditions, uses)) {
      const list = anchors.get(anchor);
      if (list === undefined) anchors.set(anchor, [alternative]);
      else list.push(alternative);
    }
  }
  return anchors;
}

/** `not-in` and `absent` hold for labels that are not there, so nothing can hang on them. */
function anchorsFor(condition: LabelCondition): string[] {
  if (condition.op === 'in') return condition.values.map((value) => `${condition.key}=${value}`);
  return condition.op === 'exists' ? [condition.key] : [];
}

function rarest(conditions: LabelCondition[], uses: Map<string, number>): string[] {
  let best = [''];
  let least = Number.POSITIVE_INFINITY;
  for (const condition of conditions) {
    const anchors = anchorsFor(condition);
    const cost = anchors.reduce((sum, anchor) => sum + (uses.get(anchor) ?? 0), 0);
    if (anchors.length === 0 || cost >= least) continue;
    best = anchors;
    least = cost;
  }
  return best;
}

function askedValues(alternatives: Alternative[]): Map<string, Set<string>> {
  const asked = new Map<string, Set<string>>();
  for (const { conditions } of alternatives) {
    for (const { key, values } of conditions) {
      const known = asked.get(key) ?? new Set();
      asked.set(key, known);
      for (const value of values) known.add(value);
    }
  }
  return asked;
}

/** Values that nobody asks for are one: a label with a value of its own for each workload makes no profile of its own. */
function profileOf(text: string, asked: Map<string, Set<string>>): string {
  const seen: string[] = [];
  for (const [key, value] of pairsOfText(text)) {
    const values = asked.get(key);
    if (values !== undefined) seen.push(values.has(value) ? `${key}=${value}` : key);
  }
  return seen.join('\n');
}
