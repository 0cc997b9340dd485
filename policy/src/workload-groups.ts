import type { PointRules, RuleGroup } from './point-rules.ts';
import { withLeastMax } from './slice.ts';

/** The groups that have members, as whoever evaluates their selectors needs them. */
export type WorkloadGroup = Extract<RuleGroup, { kind: 'workloads' }>;

/** Every `workloads` group that a point names, sorted by id, each with the least `max` that any of them sets. */
export function workloadGroupsOf(slices: readonly PointRules[]): WorkloadGroup[] {
  const known: Record<string, WorkloadGroup> = Object.create(null);
  slices.forEach((slice) => {
    slice.groups.forEach((group) => {
      if (group.kind !== 'workloads') return;
      const other = known[group.id];
      known[group.id] = other === undefined ? group : (withLeastMax(other, group) as WorkloadGroup);
    });
  });
  return Object.keys(known)
    .sort()
    .map((id) => known[id] as WorkloadGroup);
}
