/** A selector over labels of protected objects, read by the reader of policy documents: one language, one set of messages. */
import { type Finding, type Labels, linkModel, type Selector, selects } from '@edgeward/policy';

export type ReadSelector = { selects(labels: Labels): boolean } | { error: string };

export function waveSelector(text: string): ReadSelector {
  const rule = { id: 'wave', from: [{ any: true }], to: text };
  const value = { kind: 'Policy', name: 'waves', rules: [rule] };
  const findings: Finding[] = [];
  const model = linkModel([{ file: 'rollout', value, locate: () => ({ line: 1, column: 1 }) }], findings);
  const fault = findings.find(({ severity }) => severity === 'error');
  const selector: Selector | undefined = model.policies[0]?.value.rules[0]?.to;
  if (fault !== undefined || selector === undefined) return { error: fault?.message ?? 'it is no selector' };
  return { selects: (labels) => selects(selector, labels) };
}
