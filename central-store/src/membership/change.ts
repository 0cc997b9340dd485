import { type AddressKey, formatAddress } from '@edgeward/policy';
import { familyOf, type Group, isInside, type MemberCounts, nobody } from './group.ts';
import type { Inventory } from './inventory.ts';
import type { Profiles } from './profiles.ts';
import { NONE } from './selector-index.ts';

/**
 * One change of the inventory while it is made. For each address that it touches it remembers which groups the address was
 * in; what those are afterwards is the difference. An address that two workloads share is in the groups of both, and
 * leaves a group with the last of them. It ends with `keep`, or with `undo`, which takes everything back.
 */
export interface Change {
  edit(name: string, is: State | null): void;
  /** By the group's place. Of `change` addresses in text, each once, in no order; null where they are who they were. */
  found(): Map<number, Found>;
  keep(): void;
  undo(): void;
}

export interface GroupChange {
  add: string[];
  remove: string[];
}

interface Found {
  change: GroupChange | null;
  /** What to add to the counts of the group. */
  counts: MemberCounts;
}

export interface State {
  /** As `textOfLabels` writes them. */
  labels: string;
  addresses: readonly AddressKey[];
}

export function changeIn(groups: readonly Group[], profiles: Profiles, inventory: Inventory): Change {
  const touched = new Map<number, Uint32Array>();
  /** By the group's place: how many workloads more it has. */
  const workloads = new Map<number, number>();
  const done: { name: string; was: State | null }[] = [];
  const touch = (address: number): void => {
    if (!touched.has(address)) touched.set(address, groupsAt(address, profiles, inventory));
  };
  const count = (workload: number, by: number): void => {
    const keys = inventory.addressesOf(workload).map((address) => inventory.keyOf(address));
    for (const place of profiles.groupsOf(inventory.setOf(workload)))
      if (hasInside(groups[place] as Group, keys)) workloads.set(place, (workloads.get(place) ?? 0) + by);
  };
  const put = (name: string, is: State | null): void => {
    removeWorkload(name, profiles, inventory);
    if (is === null) return;
    const own = [...new Set(is.addresses)].map((key) => inventory.addressFor(key));
    const workload = inventory.add(name, is.labels, own);
    profiles.join(workload, inventory.setOf(workload), is.labels);
  };
  const forgetUnowned = (): void => {
    for (const address of touched.keys()) inventory.forgetUnowned(address);
  };
  return {
    edit: (name, is) => {
      const workload = inventory.find(name);
      const was = workload < 0 ? null : stateOf(workload, inventory);
      if (isSame(was, is)) return;
      if (workload >= 0) {
        inventory.addressesOf(workload).forEach(touch);
        count(workload, -1);
      }
      if (is !== null) for (const key of is.addresses) touch(inventory.addressFor(key));
      done.push({ name, was });
      put(name, is);
      if (is !== null) count(inventory.find(name), 1);
    },
    found: () => {
      const out = new Map<number, Found>();
      for (const [place, more] of workloads) if (more !== 0) foundAt(out, place).counts.workloads = more;
      for (const [address, before] of touched) {
        const after = groupsAt(address, profiles, inventory);
        if (before !== after) noteDifference(out, groups, inventory.keyOf(address), before, after);
      }
      return out;
    },
    keep: forgetUnowned,
    undo: () => {
      for (const { name, was } of done.toReversed()) put(name, was);
      forgetUnowned();
    },
  };
}

function removeWorkload(name: string, profiles: Profiles, inventory: Inventory): void {
  const workload = inventory.find(name);
  if (workload < 0) return;
  const set = inventory.setOf(workload);
  profiles.leave(workload, set);
  if (inventory.remove(workload)) profiles.forget(set);
}

export function stateOf(workload: number, inventory: Inventory): State {
  return {
    labels: inventory.labelSets.textOf(inventory.setOf(workload)),
    addresses: inventory.addressesOf(workload).map((address) => inventory.keyOf(address)),
  };
}

function isSame(was: State | null, is: State | null): boolean {
  if (was === null || is === null) return was === is;
  if (was.labels !== is.labels) return false;
  const keys = new Set(is.addresses);
  return keys.size === was.addresses.length && was.addresses.every((key) => keys.has(key));
}

/** Ascending places, fences not looked at yet. */
function groupsAt(address: number, profiles: Profiles, inventory: Inventory): Uint32Array {
  const owners = inventory.ownersOf(address);
  const [first] = owners;
  if (first === undefined) return NONE;
  if (owners.length === 1) return profiles.groupsOf(inventory.setOf(first));
  return new Uint32Array(new Set(owners.flatMap((it) => [...profiles.groupsOf(inventory.setOf(it))]))).sort();
}

function hasInside(group: Group, keys: readonly AddressKey[]): boolean {
  return keys.some((key) => isInside(group.fence, key));
}

function foundAt(out: Map<number, Found>, place: number): Found {
  const known = out.get(place);
  if (known !== undefined) return known;
  const found = { change: null, counts: nobody() };
  out.set(place, found);
  return found;
}

function noteDifference(
  out: Map<number, Found>,
  groups: readonly Group[],
  key: AddressKey,
  before: Uint32Array,
  after: Uint32Array,
): void {
  const address = formatAddress(key);
  const note = (place: number, list: keyof GroupChange): void => {
    if (!isInside((groups[place] as Group).fence, key)) return;
    const found = foundAt(out, place);
    found.change ??= { add: [], remove: [] };
    found.change[list].push(address);
    found.counts[familyOf(key)] += list === 'add' ? 1 : -1;
  };
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const was = before[i] ?? Number.POSITIVE_INFINITY;
    const is = after[j] ?? Number.POSITIVE_INFINITY;
    if (was < is) note(was, 'remove');
    if (is < was) note(is, 'add');
    if (was <= is) i += 1;
    if (is <= was) j += 1;
  }
}
