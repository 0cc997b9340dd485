import { type AddressKey, compareText, formatAddress, type Labels, type WorkloadGroup } from '@edgeward/policy';
import { changeIn, type GroupChange, stateOf } from './change.ts';
import {
  type Excess,
  excessOf,
  familyOf,
  type Group,
  groupsFrom,
  isInside,
  type MemberCounts,
  nobody,
  sumOf,
} from './group.ts';
import { createInventory, type Inventory } from './inventory.ts';
import { labelsOfText, textOfLabels } from './label-sets.ts';
import { createProfiles, type Profiles } from './profiles.ts';

/**
 * Which addresses are in which group. One workload's change costs what the groups cost that it enters and leaves, not what
 * there is; a million workloads are fed in batches, and of their documents nothing is kept but labels and addresses, each
 * once. Whatever would make a group larger than its `max` is refused as a whole and changes nothing. `max` counts workloads
 * with an address inside the fence, as `edgeward check` does; and because a last hop knows addresses alone and counts those
 * of each family, neither family may have more than that either.
 */
export interface Membership {
  /** Replaces the groups. `added` has every group that was not there; members of those that stay are as they were. */
  setGroups(groups: readonly WorkloadGroup[]): GroupsSet;
  /** In order; a workload that is not there is added, one whose `is` is null removed. All of them, or none. */
  change(edits: Iterable<WorkloadEdit>): MembersChanged;
  /** Single addresses, sorted as ASCII text. Empty for a group that there is not. */
  members(group: string): string[];
  memberCount(group: string): number;
  sizeOf(group: string): MemberCounts;
  /** Names of workloads with addresses of which none is inside the fence, at most ten. */
  fencedOut(group: string): string[];
  groups(): string[];
  /** As it is in force, made anew for each who asks; null: there is none of this name. */
  workload(name: string): WorkloadEdit['is'];
  names(): Iterable<string>;
  counts(): MembershipCounts;
}

export interface WorkloadEdit {
  name: string;
  /** Labels and addresses as `Workload` of the policy core has them; null: it is gone. */
  is: { labels: Labels; addresses: readonly AddressKey[] } | null;
}

export type MembersChanged =
  | {
      state: 'changed';
      /** Groups that have a member more or less. */
      groups: ReadonlyMap<string, GroupChange>;
      /** Sizes, after the change, of these groups and of those that have a workload more or less. */
      counts: ReadonlyMap<string, MemberCounts>;
    }
  | { state: 'refused'; exceeded: Exceeded[] };

export type GroupsSet =
  | { state: 'changed'; added: string[]; removed: string[] }
  | { state: 'refused'; exceeded: Exceeded[] };

/** A group that would be larger than it may, and by which count. */
export interface Exceeded extends Excess {
  group: string;
}

export interface MembershipCounts {
  workloads: number;
  addresses: number;
  labelSets: number;
  profiles: number;
  groups: number;
}

interface View {
  groups: Group[];
  places: Map<string, number>;
  profiles: Profiles;
}

export function createMembership(): Membership {
  const inventory = createInventory();
  let view = viewOf([], inventory);
  const membersOf = (id: string): number[] => {
    const place = view.places.get(id);
    return place === undefined ? [] : [...membersIn(view, place, inventory)];
  };
  const groupOf = (id: string): Group | undefined => view.groups[view.places.get(id) ?? -1];
  return {
    setGroups: (groups) => {
      const next = withLimits(view, groups) ?? viewOf(groups, inventory, view);
      const exceeded = exceededIn(next.groups);
      if (exceeded.length > 0) return { state: 'refused', exceeded };
      const added = [...next.places.keys()].filter((id) => !view.places.has(id));
      const removed = [...view.places.keys()].filter((id) => !next.places.has(id));
      view = next;
      return { state: 'changed', added, removed };
    },
    change: (edits) => changeMembers(view, inventory, edits),
    members: (id) =>
      membersOf(id)
        .map((address) => formatAddress(inventory.keyOf(address)))
        .sort(compareText),
    memberCount: (id) => {
      const counts = groupOf(id)?.counts ?? nobody();
      return counts.ipv4 + counts.ipv6;
    },
    sizeOf: (id) => ({ ...(groupOf(id)?.counts ?? nobody()) }),
    fencedOut: (id) => fencedOut(view, id, inventory),
    groups: () => [...view.places.keys()],
    workload: (name) => {
      const workload = inventory.find(name);
      if (workload < 0) return null;
      const { labels, addresses } = stateOf(workload, inventory);
      return { labels: labelsOfText(labels), addresses };
    },
    names: () => inventory.names(),
    counts: () => ({
      workloads: inventory.workloadCount,
      addresses: inventory.addressCount,
      labelSets: inventory.labelSets.size,
      profiles: view.profiles.size,
      groups: view.groups.length,
    }),
  };
}

/**
 * The same groups, each with the limit that is given now: a group is named by its selector and fence, so who is in which
 * stays as it is. Null where they are not the same.
 */
function withLimits(view: View, groups: readonly WorkloadGroup[]): View | null {
  if (groups.length !== view.groups.length) return null;
  const limits = new Map(groups.map(({ id, max }) => [id, max]));
  if (limits.size !== groups.length || !view.groups.every(({ id }) => limits.has(id))) return null;
  return { ...view, groups: view.groups.map((group) => ({ ...group, max: limits.get(group.id) ?? null })) };
}

/** Groups that an earlier view knows keep their count; counting is walking through all members. */
function viewOf(groups: readonly WorkloadGroup[], inventory: Inventory, before?: View): View {
  const read = groupsFrom(groups);
  const places = new Map(read.map((group, place) => [group.id, place]));
  const profiles = createProfiles(read.map((group) => group.selector));
  for (const workload of inventory.workloads()) {
    const set = inventory.setOf(workload);
    profiles.join(workload, set, inventory.labelSets.textOf(set));
  }
  const view = { groups: read, places, profiles };
  read.forEach((group, place) => {
    const known = before?.groups[before.places.get(group.id) ?? -1];
    group.counts = known?.counts ?? countsIn(view, place, inventory);
  });
  return view;
}

function countsIn(view: View, place: number, inventory: Inventory): MemberCounts {
  const counts = nobody();
  for (const address of membersIn(view, place, inventory)) counts[familyOf(inventory.keyOf(address))] += 1;
  const { fence } = view.groups[place] as Group;
  for (const workload of view.profiles.workloadsOf(place))
    if (hasInside(fence, workload, inventory)) counts.workloads += 1;
  return counts;
}

function hasInside(fence: Group['fence'], workload: number, inventory: Inventory): boolean {
  return inventory.addressesOf(workload).some((address) => isInside(fence, inventory.keyOf(address)));
}

function exceededIn(groups: readonly Group[]): Exceeded[] {
  return groups.flatMap((group) => exceededBy(group, group.counts));
}

function exceededBy({ id, max }: Group, counts: MemberCounts): Exceeded[] {
  const excess = excessOf(counts, max);
  return excess === null ? [] : [{ group: id, ...excess }];
}

/** Each address once, also one that several members share. */
function* membersIn(view: View, place: number, inventory: Inventory): Iterable<number> {
  const { fence } = view.groups[place] as Group;
  const shared = new Set<number>();
  for (const workload of view.profiles.workloadsOf(place)) {
    for (const address of inventory.addressesOf(workload)) {
      if (!isInside(fence, inventory.keyOf(address)) || shared.has(address)) continue;
      if (inventory.ownersOf(address).length > 1) shared.add(address);
      yield address;
    }
  }
}

function fencedOut(view: View, id: string, inventory: Inventory): string[] {
  const names: string[] = [];
  const place = view.places.get(id);
  const fence = place === undefined ? null : (view.groups[place] as Group).fence;
  if (place === undefined || fence === null) return names;
  for (const workload of view.profiles.workloadsOf(place)) {
    if (names.length === 10) break;
    const isOut = inventory.addressesOf(workload).length > 0 && !hasInside(fence, workload, inventory);
    if (isOut) names.push(inventory.nameOf(workload));
  }
  return names.sort(compareText);
}

function changeMembers(view: View, inventory: Inventory, edits: Iterable<WorkloadEdit>): MembersChanged {
  const change = changeIn(view.groups, view.profiles, inventory);
  try {
    for (const { name, is } of edits)
      change.edit(name, is === null ? null : { labels: textOfLabels(is.labels), addresses: is.addresses });
  } catch (cause) {
    // Whoever reads the edits from somewhere may fail half-way.
    change.undo();
    throw cause;
  }
  const found = [...change.found()].map(([place, it]) => {
    const group = view.groups[place] as Group;
    return { group, change: it.change, counts: sumOf(group.counts, it.counts) };
  });
  const exceeded = found.flatMap(({ group, counts }) => exceededBy(group, counts));
  if (exceeded.length > 0) {
    change.undo();
    return { state: 'refused', exceeded };
  }
  change.keep();
  return { state: 'changed', ...counted(found) };
}

interface Counted {
  group: Group;
  change: GroupChange | null;
  counts: MemberCounts;
}

function counted(found: readonly Counted[]): { groups: Map<string, GroupChange>; counts: Map<string, MemberCounts> } {
  const groups = new Map<string, GroupChange>();
  const all = new Map<string, MemberCounts>();
  for (const { group, change, counts } of found) {
    group.counts = counts;
    all.set(group.id, counts);
    if (change !== null)
      groups.set(group.id, { add: change.add.sort(compareText), remove: change.remove.sort(compareText) });
  }
  return { groups, counts: all };
}
