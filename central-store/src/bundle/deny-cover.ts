import type { SourceTerm } from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { covers } from './address-sets.ts';
import { isLater } from './document-risks.ts';
import type { PolicyView, RuleView } from './policy-view.ts';

/** Whether a deny rule may stop less than it did. Only what is plainly as wide as before counts as covered. */
export function isNarrowed(before: RuleView, after: RuleView, was: PolicyView, is: PolicyView): boolean {
  if (isLater(after.rule.untilMs, before.rule.untilMs)) return true;
  const staying = [...before.objects].filter((name) => is.objects.has(name));
  if (staying.some((name) => !after.objects.has(name))) return true;
  if (!portsCovered(before, after) || !conditionsCovered(before, after)) return true;
  return !before.terms.every((term) => isCovered(term, after.terms, was, is));
}

function portsCovered(before: RuleView, after: RuleView): boolean {
  if (after.ports === null) return true;
  const ranges = after.ports;
  return (
    before.ports?.every((it) =>
      ranges.some((over) => over.protocol === it.protocol && over.from <= it.from && it.to <= over.to),
    ) ?? false
  );
}

function conditionsCovered(before: RuleView, after: RuleView): boolean {
  if (after.rule.http === null) return true;
  const kept = new Set(after.rule.http.map((it) => canonicalJson(it)));
  return before.rule.http?.every((it) => kept.has(canonicalJson(it))) ?? false;
}

function isCovered(term: SourceTerm, after: readonly SourceTerm[], was: PolicyView, is: PolicyView): boolean {
  if (after.some((it) => it.kind === 'any')) return true;
  if (term.kind === 'any') return false;
  if (term.kind === 'cidr') return isInCidrs([term.interval], after);
  if (term.kind === 'network') return isNetworkCovered(term.name, after, was, is);
  return after.some(
    (it) =>
      it.kind === 'workloads' &&
      canonicalJson(it.selector) === canonicalJson(term.selector) &&
      (it.within === null || (term.within !== null && covers(it.within, term.within))),
  );
}

function isInCidrs(intervals: Parameters<typeof covers>[1], after: readonly SourceTerm[]): boolean {
  return covers(
    after.flatMap((it) => (it.kind === 'cidr' ? [it.interval] : [])),
    intervals,
  );
}

function isNetworkCovered(name: string, after: readonly SourceTerm[], was: PolicyView, is: PolicyView): boolean {
  const before = was.networks.get(name);
  if (before === undefined) return true;
  if (isInCidrs(before.cidrs, after)) return true;
  const now = is.networks.get(name);
  if (now === undefined || !after.some((it) => it.kind === 'network' && it.name === name)) return false;
  if (isLater(now.expiresMs, before.expiresMs)) return false;
  return covers(now.cidrs, before.cidrs) && covers(before.except, now.except);
}
