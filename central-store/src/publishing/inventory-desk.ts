/**
 * What machines say about workloads, on its way into force. A batch is judged whole: it comes into force, or is refused, or
 * waits for a person. What waits is tried again with whatever comes next, and never stands in the way of it: a batch that
 * is good by itself passes what waits.
 */
import { EdgewardError } from '@edgeward/runtime';
import type { GroupChange, MembersChanged, Membership, WorkloadEdit } from '../membership/index.ts';
import { type Fault, type Judgement, judge, workloadsBefore } from './judgement.ts';
import type { PointSlices } from './point-state.ts';

export interface InventoryDesk {
  /** Puts into force what may be; the rest waits. The answer: what that changed, by group. */
  submit(edits: readonly WorkloadEdit[], nowMs: number): Changes;
  /** Into force without a judgement, when there is nothing to compare with. */
  load(edits: readonly WorkloadEdit[]): Changes;
  /** Lets through what is held. Throws EDW_ERR_NOTHING_HELD, EDW_ERR_HELD_OTHER. */
  accept(revision: number): Changes;
  /** Throws what `accept` would. */
  requireHeld(revision: number): void;
  status(): InventoryStatus;
}

export type Changes = ReadonlyMap<string, GroupChange>;

export interface InventoryStatus {
  workloads: number;
  /** How often something of it came into force since the start. */
  changes: number;
  /** What is not in force, and why. `revision` names it to `accept`. */
  waiting: { revision: number; sinceMs: number; workloads: string[]; fault: Fault } | null;
}

interface Waiting {
  revision: number;
  sinceMs: number;
  edits: ReadonlyMap<string, WorkloadEdit>;
  fault: Fault;
}

export interface InventoryDeskOptions {
  membership: Membership;
  /** Points that name any of these groups, with what is in force there. */
  concerned: (groups: Iterable<string>) => Iterable<[point: string, slices: PointSlices]>;
  lastRevision: () => number;
}

const NONE: Changes = new Map();
/** Names of waiting workloads that are shown. */
const MAX_SHOWN = 100;

export function createInventoryDesk({ membership, concerned, lastRevision }: InventoryDeskOptions): InventoryDesk {
  let waiting: Waiting | null = null;
  let lastName = 0;
  let changes = 0;

  function put(edits: readonly WorkloadEdit[]): Extract<MembersChanged, { state: 'changed' }> {
    const changed = membership.change(edits);
    changes += 1;
    // The groups here have no limit of their own: `judge` knows which point has which.
    if (changed.state === 'refused') throw new RangeError('a group of this store has a limit');
    return changed;
  }

  /** In force when it is good, and as if it had never been tried when it is not. */
  function attempt(edits: readonly WorkloadEdit[]): { judgement: Judgement; changes: Changes } {
    const before = edits.map(({ name }) => ({ name, is: membership.workload(name) }));
    const { groups, counts } = put(edits);
    const change = { groups, counts, sizeOf: membership.sizeOf, workloadsWith: workloadsBefore(before) };
    const judgement = judge(concerned(counts.keys()), change);
    if (judgement.state === 'good') return { judgement, changes: groups };
    put(before);
    return { judgement, changes: NONE };
  }

  function wait(edits: ReadonlyMap<string, WorkloadEdit>, fault: Fault, nowMs: number): void {
    // Who looked at it accepts what was looked at, whatever else has come and gone since.
    const same = waiting !== null && isSame(waiting.edits, edits);
    lastName = same ? lastName : Math.max(lastName, lastRevision()) + 1;
    waiting = { revision: lastName, sinceMs: waiting?.sinceMs ?? nowMs, edits, fault };
  }

  function heldAs(revision: number): Waiting {
    if (waiting === null || waiting.fault.state !== 'held') throw nothingHeld(revision);
    if (waiting.revision !== revision) throw heldOther(waiting.revision, revision);
    return waiting;
  }

  return {
    load: (edits) => put(edits).groups,
    submit(edits, nowMs) {
      const all = new Map(waiting?.edits);
      for (const edit of edits) all.set(edit.name, edit);
      if (all.size === 0) return NONE;
      const whole = attempt([...all.values()]);
      if (whole.judgement.state === 'good') {
        waiting = null;
        return whole.changes;
      }
      if (waiting === null || edits.length === 0) {
        wait(all, whole.judgement, nowMs);
        return NONE;
      }
      const alone = attempt(edits);
      if (alone.judgement.state === 'good') for (const { name } of edits) all.delete(name);
      wait(all, whole.judgement, nowMs);
      return alone.changes;
    },
    requireHeld: (revision) => void heldAs(revision),
    accept(revision) {
      const { edits } = heldAs(revision);
      waiting = null;
      return put([...edits.values()]).groups;
    },
    status: () => ({
      workloads: membership.counts().workloads,
      changes,
      waiting: waiting === null ? null : shown(waiting),
    }),
  };
}

function shown({ revision, sinceMs, edits, fault }: Waiting): InventoryStatus['waiting'] {
  return { revision, sinceMs, workloads: [...edits.keys()].slice(0, MAX_SHOWN), fault };
}

function isSame(a: ReadonlyMap<string, WorkloadEdit>, b: ReadonlyMap<string, WorkloadEdit>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, edit] of a) if (b.get(name) !== edit) return false;
  return true;
}

export function nothingHeld(revision: number): EdgewardError {
  return new EdgewardError('EDW_ERR_NOTHING_HELD', `accepting ${revision}: no change of the inventory is held`, {
    mend: 'Look at the status; it may have been accepted or withdrawn already, or it is refused and not held.',
  });
}

export function heldOther(held: number, asked: number): EdgewardError {
  return new EdgewardError('EDW_ERR_HELD_OTHER', `accepting ${asked}: what is held is ${held} by now`, {
    mend: 'Look at the status again and accept the revision that it names.',
  });
}
