/** Grants that are in force and stand in no policy directory: they were opened beside it, and end by themselves. */
import type { Bundle, BundleDocument } from '@edgeward/central-store';

export interface RunningGrant {
  document: BundleDocument;
  until: string;
}

/** Those of `before` that `after` does not have by name. */
export function runningGrants(before: Bundle | null, after: Bundle, nowMs: number): RunningGrant[] {
  const named = new Set(after.documents.filter(({ kind }) => kind === 'Policy').map(({ name }) => name));
  return (before?.documents ?? []).flatMap((document) => {
    const until = grantEnd(document);
    if (until === null || named.has(document.name) || Date.parse(until) <= nowMs) return [];
    return [{ document, until }];
  });
}

/** The instant that a grant ends at; null for any other document. */
function grantEnd({ kind, name, rules }: BundleDocument): string | null {
  if (kind !== 'Policy' || !name.startsWith('grant-') || !Array.isArray(rules) || rules.length !== 1) return null;
  const [rule] = rules as unknown[];
  if (typeof rule !== 'object' || rule === null || !('id' in rule) || !('until' in rule)) return null;
  return rule.id === name && typeof rule.until === 'string' ? rule.until : null;
}
