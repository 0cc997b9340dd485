import type { Interval, SourceTerm } from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { isWide, isWithin, joined } from './address-sets.ts';

/** Terms of labels, by what bounds who their labels may be given to: the fence and the number of members. */

export type WorkloadTerm = Extract<SourceTerm, { kind: 'workloads' }>;

export function labelsIn(terms: readonly SourceTerm[]): WorkloadTerm[] {
  return terms.filter((term) => term.kind === 'workloads');
}

/** Together: one fence in many pieces, each with a term of its own, is as wide as in one. */
export function isUnfenced(terms: readonly WorkloadTerm[]): boolean {
  return terms.some((term) => term.within === null) || isWide(terms.flatMap((term) => term.within ?? []));
}

/** Earlier terms, to hold a new one against. */
export interface FenceBook {
  all: Bounds;
  bySelector: Map<string, Bounds>;
}

interface Bounds {
  /** Joined; null: one has no fence. */
  within: Interval[] | null;
  /** The least of all. */
  max: number;
}

export function fenceBook(terms: readonly WorkloadTerm[]): FenceBook {
  const bySelector = new Map<string, WorkloadTerm[]>();
  for (const term of terms) {
    const selector = canonicalJson(term.selector);
    const same = bySelector.get(selector) ?? [];
    bySelector.set(selector, same);
    same.push(term);
  }
  return {
    all: boundsOf(terms),
    bySelector: new Map([...bySelector].map(([selector, same]) => [selector, boundsOf(same)])),
  };
}

function boundsOf(terms: readonly WorkloadTerm[]): Bounds {
  const isOpen = terms.some((term) => term.within === null);
  return {
    within: isOpen ? null : joined(terms.flatMap((term) => term.within ?? [])),
    max: terms.reduce((least, term) => Math.min(least, maxOf(term)), Number.POSITIVE_INFINITY),
  };
}

/** Against the terms of the same labels, or all of them where its labels are new: a new selector hides no wider fence. */
export function isFenceWidened(term: WorkloadTerm, had: FenceBook): boolean {
  const { within, max } = had.bySelector.get(canonicalJson(term.selector)) ?? had.all;
  if (maxOf(term) > max) return true;
  return within !== null && (term.within === null || !isWithin(term.within, within));
}

/** How many members different terms let in together. */
export function membersOf(terms: readonly WorkloadTerm[]): number {
  const bySpelling = new Map(terms.map((term) => [canonicalJson(term), maxOf(term)]));
  return [...bySpelling.values()].reduce((sum, max) => sum + max, 0);
}

function maxOf({ max }: WorkloadTerm): number {
  return max ?? Number.POSITIVE_INFINITY;
}
