import { compareText } from '@edgeward/policy';
import type { Risk } from '@edgeward/policy-format';
import type { Bundle } from './bundle.ts';
import { documentRisks } from './document-risks.ts';
import { policyView } from './policy-view.ts';
import { ruleRisks } from './rule-risks.ts';

/**
 * What in a change deserves more eyes. It looks at what people wrote alone, so that every machine finds the same. When in
 * doubt it is a risk: a false one costs a signature, a missed one a hole.
 */
export interface RiskFinding {
  risk: Risk;
  /** `rule crm-orders`, `network branch-offices` */
  where: string;
  message: string;
}

/** Every risk of a change with its place, in the order of risk and place. `before` null: everything is new. */
export function risksOf(before: Bundle | null, after: Bundle): RiskFinding[] {
  const was = policyView(before);
  const is = policyView(after);
  return [...ruleRisks(was, is), ...documentRisks(was, is)].sort(
    (a, b) => compareText(a.risk, b.risk) || compareText(a.where, b.where) || compareText(a.message, b.message),
  );
}

/** Each once, sorted, as an approval lists them. */
export function namesOf(findings: readonly RiskFinding[]): Risk[] {
  return [...new Set(findings.map((it) => it.risk))].sort();
}
