/**
 * The first look after a start: what an earlier process published against what the inventory says now. Until both the
 * versions and the whole inventory are known, what lies there is served as it is; and a file that was emptied while the
 * store was away does not empty every group by itself.
 */
import { bookFromPages, type MemberBook, memberIndexOf } from '@edgeward/policy-format';
import type { Clock, Logger } from '@edgeward/runtime';
import type { Membership } from '../membership/index.ts';
import type { Assignment } from './assignment.ts';
import type { HeadShelf } from './head-shelf.ts';
import { heldOther, type InventoryStatus, nothingHeld } from './inventory-desk.ts';
import { allowGroups, type MemberLoss } from './judgement.ts';
import type { MirrorFolder } from './mirror-folder.ts';
import type { PointSlices } from './point-state.ts';
import type { PublishedPoint } from './published-point.ts';

export interface Start {
  /** `ready`: everything is known, and nothing of it was compared or let through yet. */
  state(): 'waiting' | 'ready' | 'begun';
  loaded(): void;
  assigned(): void;
  begin(): void;
  /** Whether the difference is one for a person. */
  hold(logger: Logger): Promise<boolean>;
  held(): InventoryStatus['waiting'];
  /** Throws EDW_ERR_NOTHING_HELD, EDW_ERR_HELD_OTHER. */
  requireHeld(revision: number): void;
  /** Members that a point was last published with. */
  bookOf(point: string): Promise<MemberBook | null>;
  /** Each group's members are written out once for all points that name it. */
  memberLists(): (group: string) => readonly string[];
}

export interface StartOptions {
  folder: MirrorFolder;
  heads: HeadShelf;
  assignment: Assignment;
  membership: Membership;
  clock: Clock;
  lastRevision: () => number;
}

export function createStart(options: StartOptions): Start {
  const { folder, heads, assignment, membership, clock } = options;
  let isLoaded = false;
  let isAssigned = false;
  let isBegun = false;
  let held: InventoryStatus['waiting'] = null;

  const bookOf = (point: string): Promise<MemberBook | null> => publishedBook(folder, heads.get(point));

  function memberLists(): (group: string) => readonly string[] {
    const lists = new Map<string, readonly string[]>();
    return (group) => {
      const list = lists.get(group) ?? membership.members(group);
      lists.set(group, list);
      return list;
    };
  }

  async function losses(): Promise<MemberLoss[]> {
    const members = memberLists();
    const found: MemberLoss[] = [];
    for (const [point, slices] of assignment.wanted()) {
      const book = await bookOf(point);
      if (book !== null) found.push(...lossesSince(point, slices, book, members));
    }
    return found;
  }

  return {
    state: () => (isBegun ? 'begun' : isLoaded && isAssigned ? 'ready' : 'waiting'),
    loaded: () => {
      isLoaded = true;
    },
    assigned: () => {
      isAssigned = true;
    },
    begin() {
      isBegun = true;
      held = null;
    },
    async hold(logger) {
      const found = await losses();
      if (found.length === 0) return false;
      const same = held !== null && JSON.stringify(held.fault) === JSON.stringify({ state: 'held', losses: found });
      if (same) return true;
      const revision = Math.max(options.lastRevision(), held?.revision ?? 0) + 1;
      const sinceMs = held?.sinceMs ?? clock.now();
      held = { revision, sinceMs, workloads: [], fault: { state: 'held', losses: found } };
      logger.warn({ event: 'inventory_held', revision, losses: found.length }, 'the inventory waits for a person');
      return true;
    },
    held: () => held,
    requireHeld(revision) {
      if (held === null) throw nothingHeld(revision);
      if (held.revision !== revision) throw heldOther(held.revision, revision);
    },
    bookOf,
    memberLists,
  };
}

/** Null where they can't be read any more. */
async function publishedBook(folder: MirrorFolder, published: PublishedPoint | null): Promise<MemberBook | null> {
  if (published === null) return null;
  if (published.state !== null) return published.state.book;
  try {
    const index = await folder.readBlob(published.head.members.digest);
    if (index === null) return null;
    const pages: Uint8Array[] = [];
    for (const { digest } of memberIndexOf(index).pages) {
      const page = await folder.readBlob(digest);
      if (page === null) return null;
      pages.push(page);
    }
    return bookFromPages(index, pages, () => true);
  } catch {
    return null;
  }
}

/** Which workload an address belonged to is not known any more: each address counts as one. */
function lossesSince(
  point: string,
  { slice }: PointSlices,
  before: MemberBook,
  members: (group: string) => readonly string[],
): MemberLoss[] {
  const losses: MemberLoss[] = [];
  for (const [object, groups] of allowGroups(slice.rules)) {
    const gone = new Set<string>();
    let total = 0;
    let lost = 0;
    for (const group of groups) {
      const was = before.members(group);
      const now = was.length === 0 ? null : new Set(members(group));
      const missing = was.filter((address) => now?.has(address) !== true);
      total += was.length;
      lost += missing.length;
      for (const address of missing) gone.add(address);
    }
    if (lost * 2 > total && gone.size > 1) losses.push({ point, object, before: total, lost, workloads: gone.size });
  }
  return losses;
}
