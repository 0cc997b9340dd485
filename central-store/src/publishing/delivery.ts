/**
 * Gives out what is in force: states of points are worked out, whole or by what changed, and handed to whoever makes heads
 * of them. A point whose state was not given out yet is behind, and is tried again until it is. Nothing here decides what
 * is in force.
 */
import { setImmediate } from 'node:timers/promises';
import type { DeltaOperation } from '@edgeward/policy-format';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { GroupChange } from '../membership/index.ts';
import type { Assignment } from './assignment.ts';
import type { Draft, HeadShelf } from './head-shelf.ts';
import type { Changes } from './inventory-desk.ts';
import type { KeptMembers } from './kept-members.ts';
import { type PointState, stateAfter, stateOf, workloadGroups } from './point-state.ts';
import type { Revisions } from './revisions.ts';
import type { Start } from './start.ts';

export interface Delivery {
  /** Everything of these points, worked out from the beginning. Until that is given out, they are behind. */
  whole(points: Iterable<string>): Promise<void>;
  /** Only what these groups touch; what is behind anyway is worked out whole. The answer: points that have another version. */
  changes(changes: Changes): Promise<string[]>;
  /** The same state under a new number. */
  anew(state: PointState): Promise<void>;
  /** Points get the versions that they are to have, where they may. The answer: those that did, to be given out. */
  move(): string[];
  /** Of these, points that keep other members than before. */
  settled(concerned: ReadonlySet<string>): string[];
  /**
   * What came into force is given out to these points, or they are behind and tried again. Nobody has to say it twice: whoever
   * says what machines are like tells changes, and a change that was taken for lost would be told no more. Never throws.
   */
  orBehind(points: Iterable<string>, giveOut: () => Promise<void>): Promise<void>;
  readonly behind: ReadonlySet<string>;
}

export interface DeliveryOptions {
  assignment: Assignment;
  heads: HeadShelf;
  kept: KeptMembers;
  start: Pick<Start, 'bookOf' | 'memberLists'>;
  revisions: Pick<Revisions, 'next'>;
  logger: Logger;
  onCompiled: ((compiled: { seconds: number; points: number; published: number }) => void) | undefined;
}

/** Points worked out before others get their turn. */
const AT_ONCE = 64;

export function createDelivery(options: DeliveryOptions): Delivery {
  const { assignment, heads, kept, start, revisions, logger } = options;
  const behind = new Set<string>();

  async function publish(drafts: readonly Draft[]): Promise<void> {
    const startedMs = performance.now();
    for (const { state } of drafts) behind.add(state.point);
    const published = await heads.publish(drafts, revisions.next, (point) => behind.delete(point));
    const seconds = (performance.now() - startedMs) / 1000;
    options.onCompiled?.({ seconds, points: drafts.length, published });
  }

  async function whole(points: Iterable<string>): Promise<void> {
    const drafts: Draft[] = [];
    const members = start.memberLists();
    const all = [...points];
    for (const point of all) behind.add(point);
    for (const point of all) {
      const slices = assignment.get(point);
      if (slices === undefined) {
        // No version has it any more.
        behind.delete(point);
        continue;
      }
      const book = await start.bookOf(point);
      drafts.push(stateOf(point, slices, kept.lists(point, slices, members, book), book));
      if (drafts.length % AT_ONCE === 0) await setImmediate();
    }
    await publish(drafts);
  }

  function settled(concerned: ReadonlySet<string>): string[] {
    return kept.settle(assignment.get, concerned, start.memberLists());
  }

  function move(): string[] {
    const moved = assignment.move();
    for (const { point, group, members, max } of assignment.refused())
      logger.warn({ event: 'version_refused', point, group, members, max }, 'too many members for this version');
    return moved;
  }

  return {
    whole,
    async changes(changes) {
      const drafts: Draft[] = [];
      const operationsFor = sharedOperations(changes);
      const concerned = assignment.naming(changes.keys());
      const rest = new Set([...behind, ...settled(concerned)]);
      for (const point of concerned) {
        const state = heads.get(point)?.state;
        if (state === undefined || state === null || rest.has(point) || kept.has(point)) {
          rest.add(point);
          continue;
        }
        const operations = operationsFor(workloadGroups(state));
        drafts.push({ state: stateAfter(state, operations), operations });
        if (drafts.length % AT_ONCE === 0) await setImmediate();
      }
      await publish(drafts);
      const moved = move();
      for (const point of moved) rest.add(point);
      if (rest.size > 0) await whole(rest);
      return moved;
    },
    anew: (state) => publish([{ state, operations: null, anew: true }]),
    move,
    settled,
    async orBehind(points, giveOut) {
      const concerned = [...points].filter((point) => assignment.get(point) !== undefined);
      try {
        await giveOut();
      } catch (thrown) {
        for (const point of concerned) behind.add(point);
        logger.error({ event: 'points_behind', err: thrown }, messageOf(thrown));
      }
    },
    behind,
  };
}

/** Points that name the same of the changed groups have one list: each keeps it, as long as it is a way to the newest. */
function sharedOperations(changes: Changes): (groups: readonly string[]) => readonly DeltaOperation[] {
  const made = new Map<string, readonly DeltaOperation[]>();
  return (groups) => {
    const changed = groups.filter((group) => changes.has(group));
    const key = changed.join();
    const known = made.get(key) ?? changed.flatMap((group) => operationOf(group, changes.get(group)));
    made.set(key, known);
    return known;
  };
}

function operationOf(group: string, change: GroupChange | undefined): DeltaOperation[] {
  return change === undefined ? [] : [{ op: 'members', group, ...change }];
}
