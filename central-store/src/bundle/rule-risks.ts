import type { Interval, SourceTerm } from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { covers, isWide, overlaps } from './address-sets.ts';
import { isNarrowed } from './deny-cover.ts';
import { isLater } from './document-risks.ts';
import type { PolicyView, RuleView } from './policy-view.ts';
import type { RiskFinding } from './risks.ts';

/** Risks that lie in rules: what an allow rule opens, what a deny rule stops no longer, and how many there are. */
export function ruleRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  const opened = [...is.rules.values()].flatMap((after) => openingRisks(was.rules.get(after.rule.id), after, is));
  const closed = [...was.rules.values()].flatMap((before) => denyRisks(before, was, is));
  return [...opened, ...closed, ...countRisks(was, is)];
}

const MANY_RULES = 20;

function countRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  const ids = new Set([...was.rules.keys(), ...is.rules.keys()]);
  const stays = (name: string): boolean => was.objects.has(name) && is.objects.has(name);
  const touched = [...ids].filter((id) => {
    const before = was.rules.get(id);
    const after = is.rules.get(id);
    if (before === undefined || after === undefined || before.definition !== after.definition) return true;
    // A label can move many rules; an object that comes or goes is one change.
    const moved = [...minus(before.objects, after.objects), ...minus(after.objects, before.objects)];
    return moved.some(stays);
  }).length;
  if (touched <= MANY_RULES) return [];
  return [{ risk: 'many-rules', where: 'rules', message: `${touched} rules are added, changed or removed` }];
}

function denyRisks(before: RuleView, was: PolicyView, is: PolicyView): RiskFinding[] {
  const { rule } = before;
  if (rule.action !== 'deny') return [];
  const after = is.rules.get(rule.id);
  const where = `rule ${rule.id}`;
  if (after === undefined || after.rule.action !== 'deny')
    return [{ risk: 'deny-removed', where, message: 'it denies no longer' }];
  if (!isNarrowed(before, after, was, is)) return [];
  return [{ risk: 'deny-removed', where, message: 'it denies less than before, or not as long' }];
}

function openingRisks(before: RuleView | undefined, after: RuleView, is: PolicyView): RiskFinding[] {
  if (after.rule.action !== 'allow') return [];
  const was = before?.rule.action === 'allow' ? before : undefined;
  const where = `rule ${after.rule.id}`;
  const out: RiskFinding[] = [];
  if (was === undefined || was.definition !== after.definition || minus(after.reach, was.reach).length > 0) {
    const anybody = anySource(after.terms, is);
    if (anybody !== null) out.push({ risk: 'any-source', where, message: anybody });
    const unfenced = after.terms.some((term) => term.kind === 'workloads' && isUnfenced(term));
    if (unfenced)
      out.push({ risk: 'unfenced', where, message: 'labels alone decide who is let in: no fence, or a wide one' });
  }
  if (was !== undefined) {
    const message = widening(was, after);
    if (message !== null) out.push({ risk: 'fence-widened', where, message });
  }
  return out;
}

type WorkloadTerm = Extract<SourceTerm, { kind: 'workloads' }>;

function isUnfenced(term: WorkloadTerm): boolean {
  return term.within === null || isWide(term.within);
}

function anySource(terms: readonly SourceTerm[], view: PolicyView): string | null {
  if (terms.some((term) => term.kind === 'any')) return 'it lets in every address';
  const addresses = terms.flatMap((term) => {
    if (term.kind === 'cidr') return [term.interval];
    return term.kind === 'network' ? (view.networks.get(term.name)?.cidrs ?? []) : [];
  });
  return isWide(addresses) ? 'it lets in more than a /8, or an IPv6 /16' : null;
}

function widening(before: RuleView, after: RuleView): string | null {
  if (isLater(before.rule.untilMs, after.rule.untilMs)) return 'it ends later, or never';
  if (after.terms.some((term) => term.kind === 'workloads' && isFenceWidened(term, before.terms)))
    return 'a fence holds more addresses, or more members';
  const had = cidrsIn(before.terms);
  const grown = cidrsIn(after.terms).some((it) => overlaps(had, [it]) && !covers(had, [it]));
  return grown ? 'a CIDR holds more addresses' : null;
}

function cidrsIn(terms: readonly SourceTerm[]): Interval[] {
  return terms.flatMap((term) => (term.kind === 'cidr' ? [term.interval] : []));
}

/** Against the term of the same labels, or all of them where its labels are new: a new selector hides no wider fence. */
function isFenceWidened(term: WorkloadTerm, before: readonly SourceTerm[]): boolean {
  const had = before.filter((it) => it.kind === 'workloads');
  if (had.some((it) => canonicalJson(it) === canonicalJson(term))) return false;
  const selector = canonicalJson(term.selector);
  const same = had.filter((it) => canonicalJson(it.selector) === selector);
  const against = same.length > 0 ? same : had;
  if (against.length === 0) return false;
  return isBeyond(term.within, against) || isMore(term.max, against);
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

function minus(from: ReadonlySet<string>, taken: ReadonlySet<string>): string[] {
  return [...from].filter((it) => !taken.has(it));
}
