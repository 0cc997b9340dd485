import { linkModel } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { BundleDocument } from './bundle.ts';

/**
 * An opening that ends by itself: a policy of one rule with `until`. The instant is part of what people sign and of what
 * the point holds, so it ends there with nobody's help.
 */
export interface Grant {
  /** Part of the rule's id: `grant-NAME`. */
  name: string;
  /** A CIDR or an address; a network's name; or labels with a fence. */
  from: { cidr: string } | { network: string } | { workloads: string; within: string[]; max?: number };
  /** A selector of protected objects. */
  to: string;
  /** `tcp/443` */
  ports: string[];
  until: string;
  reason: string;
}

/** Longer than this is a rule, and belongs into a policy that somebody owns. */
const MAX_MS = 30 * 24 * 3_600_000;

/** A Policy document. Throws EDW_ERR_GRANT. */
export function grantDocument(grant: Grant, nowMs: number): BundleDocument {
  const id = `grant-${grant.name}`;
  if (grant.reason.trim() === '') throw refused(grant, 'it has no reason');
  const untilMs = Date.parse(grant.until);
  if (untilMs <= nowMs) throw refused(grant, 'it ends before it begins');
  if (untilMs > nowMs + MAX_MS) throw refused(grant, 'it lasts longer than 30 days');
  const { from, to, ports, until, reason } = grant;
  const rule = { id, from: [from], to, ports, until, why: reason };
  const document: BundleDocument = { kind: 'Policy', name: id, rules: [rule] };
  const problem = problemIn(document);
  if (problem !== null) throw refused(grant, problem);
  return document;
}

/** Of the document by itself: whether the network that it names exists shows when it stands in a bundle. */
function problemIn(value: BundleDocument): string | null {
  const findings: Parameters<typeof linkModel>[1] = [];
  linkModel([{ file: value.name, value, locate: () => ({ line: 1, column: 1 }) }], findings);
  const found = findings.find((it) => it.severity === 'error' && it.code !== 'EDW_ERR_UNKNOWN_NETWORK');
  return found?.message ?? null;
}

function refused(grant: Grant, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_GRANT', `writing the grant '${grant.name}': ${why}`, {
    mend: 'Give a name, one source, a selector of objects, ports, a reason, and an end within 30 days in UTC.',
  });
}
