import type { Interval, SourceTerm } from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { covers, isWide, overlaps } from './address-sets.ts';
import { isNarrowed } from './deny-cover.ts';
import { isLater } from './document-risks.ts';
import { fenceBook, isFenceWidened, isUnfenced, labelsIn } from './fences.ts';
import { openingRisks } from './opening-risks.ts';
import type { PolicyView, RuleView } from './policy-view.ts';
import { coversPorts } from './port-sets.ts';
import type { RiskFinding } from './risks.ts';

/** Risks that lie in rules: what an allow rule opens, what a deny rule stops no longer, and how many there are. */
export function ruleRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  const opened = [...is.rules.values()].flatMap((after) => allowRisks(was.rules.get(after.rule.id), after, is));
  const closed = [...was.rules.values()].flatMap((before) => denyRisks(before, was, is));
  return [...opened, ...openingRisks(was, is, opened), ...closed, ...countRisks(was, is)];
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

function allowRisks(before: RuleView | undefined, after: RuleView, is: PolicyView): RiskFinding[] {
  if (after.rule.action !== 'allow') return [];
  const was = before?.rule.action === 'allow' ? before : undefined;
  const where = `rule ${after.rule.id}`;
  const out: RiskFinding[] = [];
  if (was === undefined || was.definition !== after.definition || reachesMore(was, after)) {
    const anybody = anySource(after.terms, is);
    if (anybody !== null) out.push({ risk: 'any-source', where, message: anybody });
    if (isUnfenced(labelsIn(after.terms)))
      out.push({ risk: 'unfenced', where, message: 'labels alone decide who is let in: no fence, or a wide one' });
  }
  if (was !== undefined) {
    const message = widening(was, after);
    if (message !== null) out.push({ risk: 'fence-widened', where, message });
  }
  return out;
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
  if (isAnyFenceWidened(before, after)) return 'a fence holds more addresses, or more members';
  const had = cidrsIn(before.terms);
  const grown = cidrsIn(after.terms).some((it) => overlaps(had, [it]) && !covers(had, [it]));
  return grown ? 'a CIDR holds more addresses' : null;
}

function isAnyFenceWidened(before: RuleView, after: RuleView): boolean {
  const fences = labelsIn(before.terms);
  if (fences.length === 0) return false;
  const book = fenceBook(fences);
  const spelled = new Set(fences.map((term) => canonicalJson(term)));
  return labelsIn(after.terms).some((term) => !spelled.has(canonicalJson(term)) && isFenceWidened(term, book));
}

function cidrsIn(terms: readonly SourceTerm[]): Interval[] {
  return terms.flatMap((term) => (term.kind === 'cidr' ? [term.interval] : []));
}

/** Whether it opens another object, or a port more of one, also because the object changed. */
function reachesMore(before: RuleView, after: RuleView): boolean {
  return [...after.reach].some(([object, ports]) => !coversPorts(before.reach.get(object) ?? [], ports));
}

function minus(from: ReadonlySet<string>, taken: ReadonlySet<string>): string[] {
  return [...from].filter((it) => !taken.has(it));
}
