/**
 * Whether a change of the inventory may come into force by itself. A group with more members than its rules allow refuses
 * it. What takes from an object more than half of the members of the groups that its allow rules name is held, if more than
 * one workload brings it about: a share by members, and no question of ports or requests. What removes one workload, and
 * what only time ends, is never held.
 */
import { formatAddress, type PointRules } from '@edgeward/policy';
import {
  excessOf,
  type GroupChange,
  type Excess as GroupExcess,
  type MemberCounts,
  type WorkloadEdit,
} from '../membership/index.ts';
import type { PointSlices } from './point-state.ts';

export type Judgement = { state: 'good' } | Fault;

export type Fault = { state: 'refused'; excesses: Excess[] } | { state: 'held'; losses: MemberLoss[] };

/** A group that is larger than a rule of the point allows, and by which count. */
export interface Excess extends GroupExcess {
  point: string;
  group: string;
}

export interface MemberLoss {
  point: string;
  object: string;
  /** Memberships in the groups that its allow rules name. */
  before: number;
  lost: number;
  /** Workloads that bring it about. */
  workloads: number;
}

export interface Change {
  groups: ReadonlyMap<string, GroupChange>;
  /** Groups that became larger or smaller, by any count. */
  counts: { has(group: string): boolean };
  /** After the change. */
  sizeOf: (group: string) => MemberCounts;
  /** How many workloads of the change had one of these addresses before. */
  workloadsWith: (addresses: ReadonlySet<string>) => number;
}

export function judge(points: Iterable<[point: string, slices: PointSlices]>, change: Change): Judgement {
  const excesses: Excess[] = [];
  const losses: MemberLoss[] = [];
  for (const [point, slices] of points) {
    excesses.push(...excessesAt(point, slices, change.sizeOf, change.counts));
    losses.push(...lossesAt(point, slices.slice.rules, change));
  }
  if (excesses.length > 0) return { state: 'refused', excesses };
  return losses.length > 0 ? { state: 'held', losses } : { state: 'good' };
}

/** `among` null: of all groups. */
export function excessesAt(
  point: string,
  { slice, base }: PointSlices,
  sizeOf: Change['sizeOf'],
  among: { has(group: string): boolean } | null,
): Excess[] {
  const groups = [...slice.rules.groups, ...(base?.rules.groups ?? [])];
  return groups.flatMap((group) => {
    if (group.kind !== 'workloads' || group.max === null || among?.has(group.id) === false) return [];
    const excess = excessOf(sizeOf(group.id), group.max);
    return excess === null ? [] : [{ point, group: group.id, ...excess }];
  });
}

function lossesAt(point: string, rules: PointRules, change: Change): MemberLoss[] {
  const losses: MemberLoss[] = [];
  for (const [object, groups] of allowGroups(rules)) {
    const addresses = new Set<string>();
    let before = 0;
    let lost = 0;
    for (const group of groups) {
      const { add, remove } = change.groups.get(group) ?? { add: [], remove: [] };
      const { ipv4, ipv6 } = change.sizeOf(group);
      before += ipv4 + ipv6 - add.length + remove.length;
      lost += remove.length;
      for (const address of remove) addresses.add(address);
    }
    if (lost * 2 <= before) continue;
    const workloads = change.workloadsWith(addresses);
    if (workloads > 1) losses.push({ point, object, before, lost, workloads });
  }
  return losses;
}

const known = new WeakMap<PointRules, Map<string, string[]>>();

/** Groups of workloads that allow rules name, by object. Worked out once for each document. */
export function allowGroups(rules: PointRules): Map<string, string[]> {
  const found = known.get(rules);
  if (found !== undefined) return found;
  const workloads = new Set(rules.groups.filter(({ kind }) => kind === 'workloads').map(({ id }) => id));
  const byObject = new Map<string, Set<string>>();
  for (const { action, from, to } of rules.rules) {
    if (action !== 'allow') continue;
    for (const object of to) {
      const groups = byObject.get(object) ?? new Set();
      byObject.set(object, groups);
      for (const group of from) if (workloads.has(group)) groups.add(group);
    }
  }
  const made = new Map([...byObject].map(([object, groups]) => [object, [...groups]]));
  known.set(rules, made);
  return made;
}

/** Counts workloads of a change by the addresses that they had before it. */
export function workloadsBefore(before: readonly WorkloadEdit[]): Change['workloadsWith'] {
  return (addresses) =>
    before.filter(({ is }) => is?.addresses.some((address) => addresses.has(formatAddress(address)))).length;
}
