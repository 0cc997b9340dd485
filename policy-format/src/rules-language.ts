import { type Finding, linkModel, type PointRules, type RuleObject, type SourceDocument } from '@edgeward/policy';
import { canonicalJson } from './canonical-json.ts';
import { shown } from './fields.ts';

/**
 * A rules document held to the grammars of the policy language, by that language's own reader: what it would not take
 * from a person it does not take from a store. Nothing is decided here that the reader does not decide.
 */

/**
 * What the language would refuse, or would write otherwise; null: nothing. Rules are read one by one: those that were read
 * before may be left out. Of objects, all or none, as two must not be bound alike.
 */
export function languageFault(document: Pick<PointRules, 'point' | 'objects' | 'rules'>): string | null {
  const findings: Finding[] = [];
  const model = linkModel(
    [...document.objects.map((it) => objectDocument(it, document.point)), policyOf(document)],
    findings,
  );
  const error = findings.find((finding) => finding.severity === 'error');
  if (error !== undefined) return shown(error.message);
  const read = model.policies[0]?.value.rules ?? [];
  const other = document.rules.find(({ http }, at) => canonicalJson(read[at]?.http ?? null) !== canonicalJson(http));
  return other === undefined ? null : `the conditions of the rule '${other.id}' are not in their one form`;
}

/** A host reads as a virtual server would: its labels, its ports and where it is bound have the same grammar. */
function objectDocument(object: RuleObject, point: string): SourceDocument {
  const { name, labels, bind, protocol, mode, ports, trustedProxies } = object;
  return sourceOf({ kind: 'VirtualServer', name, labels, point, bind, protocol, mode, ports, trustedProxies });
}

function policyOf({ point, rules }: Pick<PointRules, 'point' | 'rules'>): SourceDocument {
  const written = rules.map(({ id, action, http }) => ({
    id,
    action,
    from: [{ any: true }],
    to: 'all()',
    ...(http === null ? {} : { http }),
  }));
  return sourceOf({ kind: 'Policy', name: point, rules: written });
}

function sourceOf(value: unknown): SourceDocument {
  return { file: 'rules', value, locate: () => ({ line: 1, column: 1 }) };
}
