/** Who refers to whom: what is referred to must exist, and what somebody refers to cannot be removed. */
import type { ConfigObject, Kind } from './box-config.ts';
import { kindOf, profileKinds } from './kinds.ts';
import { inUse, nodeInUse, notFound } from './mcpd-errors.ts';
import type { Box, Family, ObjectRules, Reference } from './object-rules.ts';
import type { View } from './state.ts';

const KINDS: Record<Family, readonly Kind[]> = {
  value_list: ['ltm data-group internal', 'ltm data-group external'],
  pool: ['ltm pool'],
  virtual: ['ltm virtual'],
  node: ['ltm node'],
  rule: ['ltm rule'],
  profile: profileKinds,
  file: ['sys file data-group'],
  destination: [
    'sys log-config destination remote-high-speed-log',
    'sys log-config destination remote-syslog',
    'sys log-config destination splunk',
    'sys log-config destination local-syslog',
    'sys log-config destination local-database',
    'sys log-config destination alertd',
    'sys log-config destination arcsight',
    'sys log-config destination management-port',
    'sys log-config destination ipfix',
  ],
  publisher: ['sys log-config publisher'],
};

const FAMILY_OF = new Map<Kind, Family>(
  Object.entries(KINDS).flatMap(([family, kinds]) => kinds.map((kind) => [kind, family as Family])),
);

export const exists = ({ family, fullPath }: Reference, view: View): boolean =>
  KINDS[family].some((kind) => view.get(kind, fullPath) !== null);

export function checkReferences(object: ConfigObject, rules: ObjectRules, view: View, box: Box): void {
  for (const reference of rules.references?.(object, view, box) ?? [])
    if (!exists(reference, view)) throw notFound(titleOf(reference.family), reference.fullPath);
}

export function checkRemovals(
  removed: readonly { kind: Kind; fullPath: string }[],
  view: View,
  rulesOf: (kind: Kind) => ObjectRules,
  box: Box,
): void {
  const wanted = new Map<string, Kind>();
  for (const { kind, fullPath } of removed) {
    const family = FAMILY_OF.get(kind);
    if (family !== undefined && !exists({ family, fullPath }, view)) wanted.set(`${family} ${fullPath}`, kind);
  }
  if (wanted.size === 0) return;
  for (const kind of view.kinds()) {
    const { references } = rulesOf(kind);
    if (references === undefined) continue;
    for (const object of view.all(kind)) {
      for (const reference of references(object, view, box)) {
        const gone = wanted.get(`${reference.family} ${reference.fullPath}`);
        if (gone !== undefined) throw refusal(gone, reference.fullPath, object);
      }
    }
  }
}

function refusal(kind: Kind, fullPath: string, by: ConfigObject): Error {
  if (kind === 'ltm node') return nodeInUse(fullPath, by.fullPath);
  // Pools and virtual servers are in capitals when both are named, and only then.
  const byTitle = kind === 'ltm pool' && by.kind === 'ltm virtual' ? 'Virtual Server' : kindOf(by.kind).inUseTitle;
  return inUse(kindOf(kind), fullPath, byTitle, by.fullPath);
}

const titleOf = (family: Family): string => kindOf(KINDS[family][0] ?? family).title;
