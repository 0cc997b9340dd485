import type { Interval, SourceTerm } from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { covers, isWide } from './address-sets.ts';

/** Terms of labels, by what bounds who their labels may be given to: the fence and the number of members. */

export type WorkloadTerm = Extract<SourceTerm, { kind: 'workloads' }>;

/** Together: one fence in many pieces, each with a term of its own, is as wide as in one. */
export function isUnfenced(terms: readonly WorkloadTerm[]): boolean {
  return terms.some((term) => term.within === null) || isWide(terms.flatMap((term) => term.within ?? []));
}

/** Against the terms of the same labels, or all of them where its labels are new: a new selector hides no wider fence. */
export function isFenceWidened(term: WorkloadTerm, had: readonly WorkloadTerm[]): boolean {
  const selector = selectorOf(term);
  const same = had.filter((it) => selectorOf(it) === selector);
  const against = same.length > 0 ? same : had;
  if (against.length === 0) return false;
  return isBeyond(term.within, against) || isMore(term.max, against);
}

/** A term is compared with many others. */
const selectors = new WeakMap<WorkloadTerm, string>();

function selectorOf(term: WorkloadTerm): string {
  const known = selectors.get(term);
  if (known !== undefined) return known;
  const made = canonicalJson(term.selector);
  selectors.set(term, made);
  return made;
}

function isBeyond(within: Interval[] | null, against: readonly WorkloadTerm[]): boolean {
  if (against.some((it) => it.within === null)) return false;
  return (
    within === null ||
    !covers(
      against.flatMap((it) => it.within ?? []),
      within,
    )
  );
}

function isMore(max: number | null, against: readonly WorkloadTerm[]): boolean {
  const least = Math.min(...against.map((it) => it.max ?? Number.POSITIVE_INFINITY));
  return (max ?? Number.POSITIVE_INFINITY) > least;
}

/** How many members different terms let in together. */
export function membersOf(terms: readonly WorkloadTerm[]): number {
  const bySpelling = new Map(terms.map((term) => [canonicalJson(term), term.max ?? Number.POSITIVE_INFINITY]));
  return [...bySpelling.values()].reduce((sum, max) => sum + max, 0);
}
