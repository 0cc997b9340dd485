/**
 * The first look after a start: what an earlier process published against what the inventory says now. Until both the
 * versions and the whole inventory are known, what lies there is served as it is. Then everything goes on at once, and only
 * what a person has to look at waits: an object that would lose more than half keeps its members, so that a file that was
 * emptied while the store was away does not empty every group by itself; and workloads that a group has no room for stay
 * outside, so that the others of their points can still be revoked.
 */
import { formatAddress } from '@edgeward/policy';
import type { MemberBook } from '@edgeward/policy-format';
import type { Clock, Logger } from '@edgeward/runtime';
import { excessOf, type Membership, type WorkloadEdit } from '../membership/index.ts';
import type { Assignment } from './assignment.ts';
import type { HeadShelf } from './head-shelf.ts';
import type { InventoryDesk, WaitingChange } from './inventory-desk.ts';
import { excessesAt } from './judgement.ts';
import type { KeptMembers, Lists } from './kept-members.ts';
import { leftBook, leftSlices } from './left-slices.ts';
import type { MirrorFolder } from './mirror-folder.ts';
import { type PointSlices, workloadGroups } from './point-state.ts';
import { withoutRoom } from './room.ts';

export interface Start {
  state(): 'waiting' | 'ready' | 'begun';
  loaded(): void;
  assigned(): void;
  /** Decides what is in force. Nothing of it was given out yet. */
  begin(): Promise<void>;
  held(): WaitingChange | null;
  /** Members that a point was last published with. */
  bookOf(point: string): Promise<MemberBook | null>;
  /** Each group's members are written out once for all points that name it. */
  memberLists(): Lists;
}

export interface StartOptions {
  folder: MirrorFolder;
  heads: HeadShelf;
  assignment: Assignment;
  membership: Membership;
  desk: InventoryDesk;
  kept: KeptMembers;
  clock: Clock;
  logger: Logger;
  nextName: () => number;
}

export function createStart(options: StartOptions): Start {
  const { folder, heads, assignment, membership, desk, kept, clock, logger } = options;
  let isLoaded = false;
  let isAssigned = false;
  let isBegun = false;
  let named: { revision: number; sinceMs: number } | null = null;

  const bookOf = (point: string): Promise<MemberBook | null> => leftBook(folder, heads.get(point));

  function memberLists(): Lists {
    const lists = new Map<string, readonly string[]>();
    return (group) => {
      const list = lists.get(group) ?? membership.members(group);
      lists.set(group, list);
      return list;
    };
  }

  function* inForce(): Generator<[point: string, slices: PointSlices]> {
    for (const point of assignment.points()) {
      const slices = assignment.get(point);
      if (slices !== undefined) yield [point, slices];
    }
  }

  function adoptLeft(): void {
    const left = new Map<string, PointSlices>();
    for (const [point, wanted] of assignment.wanted()) {
      const published = heads.get(point);
      const slices = published === null ? null : leftSlices(folder, published, wanted);
      if (slices !== null) left.set(point, slices);
    }
    assignment.adopt(left);
  }

  async function withholdExcesses(): Promise<void> {
    const withheld: WorkloadEdit[] = [];
    for (const [point, slices] of inForce()) {
      for (const excess of excessesAt(point, slices, membership.sizeOf, null)) {
        // The one before may have made room for this one.
        if (excessOf(membership.sizeOf(excess.group), excess.max) === null) continue;
        const names = withoutRoom(membership, excess, await bookOf(point));
        withheld.push(...desk.withhold(names, [excess], clock.now()));
        logger.warn({ event: 'inventory_refused', ...excess, workloads: names.length }, 'too many members');
      }
    }
    if (withheld.length > 0) for (const [point, slices] of inForce()) await keepFor(withheld, point, slices);
  }

  /** A workload that waits is what it was: at each point in the groups that it was in there. */
  async function keepFor(withheld: readonly WorkloadEdit[], point: string, slices: PointSlices): Promise<void> {
    const book = await bookOf(point);
    if (book === null) return;
    for (const group of workloadGroups(slices)) {
      const now = new Set(membership.members(group));
      const gone = new Set(book.members(group).filter((address) => !now.has(address)));
      if (gone.size === 0) continue;
      for (const { name, is } of withheld) {
        const had = (is?.addresses ?? []).map(formatAddress).filter((address) => gone.has(address));
        if (had.length > 0) kept.keepFor(name, point, group, had);
      }
    }
  }

  async function compare(): Promise<void> {
    const now = memberLists();
    for (const [point, slices] of inForce()) {
      const book = await bookOf(point);
      if (book !== null) kept.compare(point, slices, book, now);
    }
    const losses = kept.losses();
    if (losses.length === 0) return;
    named = { revision: options.nextName(), sinceMs: clock.now() };
    logger.warn(
      { event: 'inventory_held', revision: named.revision, losses: losses.length },
      'what objects lost while the store was away waits for a person',
    );
  }

  function held(): WaitingChange | null {
    const losses = named === null ? [] : kept.losses();
    return named === null || losses.length === 0 ? null : { ...named, workloads: [], fault: { state: 'held', losses } };
  }

  return {
    state: () => (isBegun ? 'begun' : isLoaded && isAssigned ? 'ready' : 'waiting'),
    loaded: () => {
      isLoaded = true;
    },
    assigned: () => {
      isAssigned = true;
    },
    async begin() {
      adoptLeft();
      // People may have made room with a newer version.
      assignment.move();
      await withholdExcesses();
      assignment.move();
      await compare();
      isBegun = true;
    },
    held,
    bookOf,
    memberLists,
  };
}
