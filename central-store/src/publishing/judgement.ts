/**
 * Whether a change of the inventory may come into force by itself. A group with more members than its rules allow refuses
 * it. What takes from an object more than half of the members of the groups that its allow rules name is held, if more than
 * one workload brings it about: a share by members, and no question of ports or requests. It takes a member to put it into a
 * group that a deny rule of the object names, as much as to take it out of its own. What removes one workload, and
 * what only time ends, is never held.
 */
import { formatAddress } from '@edgeward/policy';
import {
  excessOf,
  type GroupChange,
  type Excess as GroupExcess,
  type MemberCounts,
  type WorkloadEdit,
} from '../membership/index.ts';
import type { PointSlices } from './point-state.ts';
import type { ObjectGroups, ObjectOutline, RulesOutline } from './rules-outline.ts';

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
  /** After the change. */
  members: (group: string) => readonly string[];
  /** How many workloads of the change had one of these addresses before. */
  workloadsWith: (addresses: ReadonlySet<string>) => number;
}

const NO_CHANGE: GroupChange = { add: [], remove: [] };

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
    if (group.max === null || among?.has(group.id) === false) return [];
    const excess = excessOf(sizeOf(group.id), group.max);
    return excess === null ? [] : [{ point, group: group.id, ...excess }];
  });
}

function lossesAt(point: string, rules: RulesOutline, change: Change): MemberLoss[] {
  const losses: MemberLoss[] = [];
  for (const object of opened(rules)) {
    const { before, lost, addresses } = lossOf(object, change);
    if (lost * 2 <= before) continue;
    const workloads = change.workloadsWith(addresses);
    if (workloads > 1) losses.push({ point, object: object.name, before, lost, workloads });
  }
  return losses;
}

function lossOf(
  { allow, deny }: ObjectGroups,
  change: Change,
): { before: number; lost: number; addresses: Set<string> } {
  const addresses = new Set<string>();
  let before = 0;
  let lost = 0;
  for (const group of allow) {
    const { add, remove } = change.groups.get(group) ?? NO_CHANGE;
    const { ipv4, ipv6 } = change.sizeOf(group);
    before += ipv4 + ipv6 - add.length + remove.length;
    lost += remove.length;
    for (const address of remove) addresses.add(address);
  }
  const entering = deny.reduce((sum, group) => sum + (change.groups.get(group)?.add.length ?? 0), 0);
  // Who is in a group may be a list of a million: it is looked at where it can make a difference, and nowhere else.
  if (entering === 0 || (lost + entering * allow.length) * 2 <= before) return { before, lost, addresses };
  const denied = deniedNow(deny, change);
  for (const group of allow) {
    for (const address of membersStill(group, change)) {
      if (!denied.has(address)) continue;
      lost += 1;
      addresses.add(address);
    }
  }
  return { before, lost, addresses };
}

/** Addresses that one of these groups has now, where none had them before. */
function deniedNow(deny: readonly string[], change: Change): Set<string> {
  const denied = new Set(deny.flatMap((group) => change.groups.get(group)?.add ?? []));
  for (const group of deny) {
    for (const address of membersStill(group, change)) denied.delete(address);
    for (const address of change.groups.get(group)?.remove ?? []) denied.delete(address);
  }
  return denied;
}

/** Before the change and after it. */
function* membersStill(group: string, change: Change): Generator<string> {
  const added = new Set(change.groups.get(group)?.add);
  for (const address of change.members(group)) if (!added.has(address)) yield address;
}

/** Objects that some rule lets workloads into. */
export function opened(rules: RulesOutline): readonly ObjectOutline[] {
  return rules.objects.filter(({ allow }) => allow.length > 0);
}

/** Counts workloads of a change by the addresses that they had before it. */
export function workloadsBefore(before: readonly WorkloadEdit[]): Change['workloadsWith'] {
  return (addresses) =>
    before.filter(({ is }) => is?.addresses.some((address) => addresses.has(formatAddress(address)))).length;
}
