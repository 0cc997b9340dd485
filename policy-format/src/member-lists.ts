import { compareText } from '@edgeward/policy';

/** Members by group, and the same in shards. Where they came from is not asked here. */
export type MemberLists = ReadonlyMap<string, readonly string[]>;

/** By two digits of the id, so that changing one group copies a 256th of what is known of all. */
export type Shards = readonly (MemberLists | undefined)[];

const SHARDS = 256;

/** To what is known of the group; the first list is taken, not copied. */
export function join(lists: Map<string, string[]>, group: string, addresses: string[]): void {
  const list = lists.get(group);
  if (list === undefined) lists.set(group, addresses);
  else for (const address of addresses) list.push(address);
}

/** In place: each page is sorted in itself only. */
export function sortedLists(lists: Map<string, string[]>): Map<string, string[]> {
  for (const list of lists.values()) list.sort(compareText);
  return lists;
}

export function* groupsOf(shards: Shards): Iterable<string> {
  for (const shard of shards) if (shard !== undefined) yield* shard.keys();
}

export function shardOf(group: string): number {
  return Number.parseInt(group.slice(2, 4), 16);
}

export function shardsOf(lists: ReadonlyMap<string, readonly string[]>): Shards {
  const shards: (Map<string, readonly string[]> | undefined)[] = new Array(SHARDS).fill(undefined);
  for (const [group, list] of lists) {
    const number = shardOf(group);
    const shard = shards[number] ?? new Map<string, readonly string[]>();
    shards[number] = shard;
    shard.set(group, list);
  }
  return shards;
}
