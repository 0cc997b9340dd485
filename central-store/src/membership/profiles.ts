import type { Selector } from '@edgeward/policy';
import { createColumn, createPlaces } from './column.ts';
import { indexSelectors, NONE } from './selector-index.ts';

/**
 * Workloads by profile: what of their labels the selectors of the groups can tell. Workloads of one profile are in the same
 * groups, so selectors are evaluated once a profile, and no list of members is kept: a group is the workloads of its profiles.
 * Groups are places in the list that it is made for, and it is made anew for another list.
 */
export interface Profiles {
  readonly size: number;
  /** Groups of whoever has this set of labels, ascending; the same array for all of one profile. */
  groupsOf(set: number): Uint32Array;
  join(workload: number, set: number, labels: string): void;
  leave(workload: number, set: number): void;
  /** The set of labels is gone. */
  forget(set: number): void;
  workloadsOf(group: number): Iterable<number>;
}

interface Profile {
  text: string;
  groups: Uint32Array;
  /** How many sets of labels have it. */
  sets: number;
}

export function createProfiles(selectors: readonly Selector[]): Profiles {
  const index = indexSelectors(selectors);
  const profilesOf = selectors.map(() => new Set<number>());
  const numbers = new Map<string, number>();
  const profiles: Profile[] = [];
  const places = createPlaces();
  /** One more than the profile; 0: not known yet. */
  const ofSet = createColumn();
  const members = createChains();
  const profileFor = (set: number, labels: string): number => {
    const known = ofSet.at(set);
    if (known > 0) return known - 1;
    const text = index.profileOf(labels);
    const number = numbers.get(text) ?? places.take();
    if (!numbers.has(text)) {
      numbers.set(text, number);
      const groups = index.select(labels);
      profiles[number] = { text, groups, sets: 0 };
      for (const group of groups) profilesOf[group]?.add(number);
    }
    (profiles[number] as Profile).sets += 1;
    ofSet.put(set, number + 1);
    return number;
  };
  return {
    get size() {
      return numbers.size;
    },
    groupsOf: (set) => profiles[ofSet.at(set) - 1]?.groups ?? NONE,
    join: (workload, set, labels) => members.add(profileFor(set, labels), workload),
    leave: (workload, set) => members.remove(ofSet.at(set) - 1, workload),
    forget: (set) => {
      const number = ofSet.at(set) - 1;
      const profile = profiles[number] as Profile;
      ofSet.put(set, 0);
      profile.sets -= 1;
      if (profile.sets > 0) return;
      numbers.delete(profile.text);
      for (const group of profile.groups) profilesOf[group]?.delete(number);
      places.giveBack(number);
    },
    *workloadsOf(group) {
      for (const number of profilesOf[group] ?? []) yield* members.of(number);
    },
  };
}

interface Chains {
  add(chain: number, entry: number): void;
  remove(chain: number, entry: number): void;
  of(chain: number): Iterable<number>;
}

/** Each entry is in one chain at most: twelve bytes, and no list to search when it leaves. */
function createChains(): Chains {
  const first = createColumn();
  const next = createColumn();
  const previous = createColumn();
  return {
    add: (chain, entry) => {
      const head = first.at(chain);
      next.put(entry, head);
      previous.put(entry, 0);
      if (head > 0) previous.put(head - 1, entry + 1);
      first.put(chain, entry + 1);
    },
    remove: (chain, entry) => {
      const [before, after] = [previous.at(entry), next.at(entry)];
      if (before > 0) next.put(before - 1, after);
      else first.put(chain, after);
      if (after > 0) previous.put(after - 1, before);
    },
    *of(chain) {
      for (let at = first.at(chain); at > 0; at = next.at(at - 1)) yield at - 1;
    },
  };
}
