/** What a store hands to points beside the rules, made from a resolution of everything. */
import { formatAddress, type GroupMembers, type PointRules, type Resolution, successor } from '@edgeward/policy';
import { digest } from './compiled.ts';

/** Single addresses, ascending as text. */
export function membersOf(resolution: Resolution): GroupMembers {
  const members = new Map<string, string[]>();
  for (const group of Object.values(resolution.groups)) {
    if (group.members === null) continue;
    const listed = group.intervals.flatMap(({ lo, hi }) => {
      const out = [formatAddress(lo)];
      for (let key = lo; key !== hi; out.push(formatAddress(key))) key = successor(key) as string;
      return out;
    });
    members.set(`g.${digest(group.term).slice(0, 16)}`, listed.toSorted());
  }
  return (group) => members.get(group) ?? [];
}

/** JSON with sorted keys, as RFC 8785 writes it for values like ours. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, it) =>
    it !== null && typeof it === 'object' && !Array.isArray(it)
      ? Object.fromEntries(Object.entries(it).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  );
}

/** As they arrive at a point: written as canonical JSON and read again, which loses the order of keys. */
export function travelled(slices: PointRules[]): PointRules[] {
  return slices.map((slice) => JSON.parse(canonical(slice)));
}
