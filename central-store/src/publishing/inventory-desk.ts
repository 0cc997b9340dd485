/**
 * What machines say about workloads, on its way into force. A batch is judged whole: it comes into force, or is refused, or
 * waits for a person. What is refused and what is held wait apart, so that neither keeps the other from coming into force.
 * A batch that is good by itself passes what waits; what waits is tried again after a change that has to do with it, and not
 * after any other.
 */
import { compareText } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { GroupChange, MembersChanged, Membership, WorkloadEdit } from '../membership/index.ts';
import { type Excess, type Fault, type Judgement, judge, workloadsBefore } from './judgement.ts';
import type { PointSlices } from './point-state.ts';

export interface InventoryDesk {
  /** Puts into force what may be; the rest waits. The answer: what that changed, by group. */
  submit(edits: readonly WorkloadEdit[], nowMs: number): Changes;
  /** Into force without a judgement, when there is nothing to compare with. */
  load(edits: readonly WorkloadEdit[]): Changes;
  /** Takes workloads out of force again until there is room for them. The answer: what waits now. */
  withhold(names: readonly string[], excesses: Excess[], nowMs: number): readonly WorkloadEdit[];
  /** What is in force changed in another way: what waits may be good now, or held no more but refused. */
  reconsider(nowMs: number): Changes;
  /** Lets through what is held. Throws EDW_ERR_NOTHING_HELD, EDW_ERR_HELD_OTHER. */
  accept(revision: number, nowMs: number): Changes;
  /** Throws what `accept` would. */
  requireHeld(revision: number): void;
  isRefused(workload: string): boolean;
  status(): Omit<InventoryStatus, 'waiting' | 'alsoWaiting'>;
  /** What is held first. */
  waiting(): WaitingChange[];
}

export type Changes = ReadonlyMap<string, GroupChange>;

export interface InventoryStatus {
  workloads: number;
  /** How often something of it came into force since the start. */
  changes: number;
  /** What is not in force, and why; of several what is held, as a person can do something about it. */
  waiting: WaitingChange | null;
  /** The others, if there are any. */
  alsoWaiting?: WaitingChange[];
}

/** `revision` names it to `accept`. */
export interface WaitingChange {
  revision: number;
  sinceMs: number;
  workloads: string[];
  fault: Fault;
}

interface Waiting {
  revision: number;
  sinceMs: number;
  edits: ReadonlyMap<string, WorkloadEdit>;
  fault: Fault;
  /** Groups that it would change. */
  groups: ReadonlySet<string>;
}

export interface InventoryDeskOptions {
  membership: Membership;
  /** Points that name any of these groups, with what is in force there. */
  concerned: (groups: Iterable<string>) => Iterable<[point: string, slices: PointSlices]>;
  /** Greater than any before it, and than any revision that was given out. */
  nextName: () => number;
}

interface Attempt {
  judgement: Judgement;
  /** Of what is in force now. */
  changes: Changes;
  /** That it changed, or would have. */
  groups: ReadonlySet<string>;
}

const NONE: Changes = new Map();
/** Names of waiting workloads that are shown. */
const MAX_SHOWN = 100;
/** What is refused first: room for it may be what makes the other one good. */
const KINDS = ['refused', 'held'] as const;
type Kind = (typeof KINDS)[number];

export function createInventoryDesk({ membership, concerned, nextName }: InventoryDeskOptions): InventoryDesk {
  const waiting = new Map<Kind, Waiting>();
  let changes = 0;

  function put(edits: readonly WorkloadEdit[]): Extract<MembersChanged, { state: 'changed' }> {
    const changed = membership.change(edits);
    // The groups here have no limit of their own: `judge` knows which point has which.
    if (changed.state === 'refused') throw new RangeError('a group of this store has a limit');
    return changed;
  }

  /** In force when it is good, and as if it had never been tried when it is not. */
  function attempt(edits: readonly WorkloadEdit[], isAccepted = false): Attempt {
    const before = edits.map(({ name }) => ({ name, is: membership.workload(name) }));
    const { groups, counts } = put(edits);
    const { sizeOf, members } = membership;
    const change = { groups, counts, sizeOf, members, workloadsWith: workloadsBefore(before) };
    const judgement = judge(concerned(counts.keys()), change);
    const touched = new Set(counts.keys());
    if (judgement.state === 'good' || (isAccepted && judgement.state === 'held')) {
      changes += 1;
      return { judgement: { state: 'good' }, changes: groups, groups: touched };
    }
    put(before);
    return { judgement, changes: NONE, groups: touched };
  }

  function wait(
    edits: ReadonlyMap<string, WorkloadEdit>,
    fault: Fault,
    groups: ReadonlySet<string>,
    nowMs: number,
  ): void {
    const was = waiting.get(fault.state);
    // Who looked at it accepts what was looked at, whatever else has come and gone since.
    const same = was !== undefined && isSame(was.edits, edits);
    const revision = same ? was.revision : nextName();
    waiting.set(fault.state, { revision, sinceMs: was?.sinceMs ?? nowMs, edits, fault, groups });
  }

  /** With what waits for the same reason already. */
  function join(edits: Iterable<WorkloadEdit>, fault: Fault, groups: ReadonlySet<string>, nowMs: number): void {
    const was = waiting.get(fault.state);
    const all = new Map(was?.edits);
    for (const edit of edits) all.set(edit.name, edit);
    wait(all, fault, new Set([...(was?.groups ?? []), ...groups]), nowMs);
  }

  /** What was said of a workload before counts no more. The answer: what waits otherwise than before. */
  function supersede(edits: readonly WorkloadEdit[]): Set<Kind> {
    const other = new Set<Kind>();
    for (const kind of KINDS) {
      const was = waiting.get(kind);
      if (was === undefined || !edits.some(({ name }) => was.edits.has(name))) continue;
      const left = new Map(was.edits);
      for (const { name } of edits) left.delete(name);
      other.add(kind);
      if (left.size === 0) waiting.delete(kind);
      else waiting.set(kind, { ...was, edits: left, revision: nextName() });
    }
    return other;
  }

  /** Once, however many changes led here. */
  function retry(kind: Kind, nowMs: number): { changes: Changes; groups: ReadonlySet<string> } {
    const was = waiting.get(kind);
    if (was === undefined) return { changes: NONE, groups: new Set() };
    const { judgement, changes, groups } = attempt([...was.edits.values()]);
    if (judgement.state === kind) wait(was.edits, judgement, groups, nowMs);
    else waiting.delete(kind);
    if (judgement.state === 'good') return { changes, groups };
    if (judgement.state !== kind) join(was.edits.values(), judgement, groups, nowMs);
    return { changes: NONE, groups: new Set() };
  }

  /** What waits and has to do with these groups. */
  function retryAfter(groups: ReadonlySet<string>, others: ReadonlySet<Kind>, nowMs: number): Changes {
    let made = NONE;
    const touched = new Set(groups);
    for (const kind of KINDS) {
      const was = waiting.get(kind);
      if (was === undefined || (!others.has(kind) && ![...was.groups].some((group) => touched.has(group)))) continue;
      const again = retry(kind, nowMs);
      for (const group of again.groups) touched.add(group);
      made = joined(made, again.changes);
    }
    return made;
  }

  function heldAs(revision: number): Waiting {
    const held = waiting.get('held');
    if (held === undefined) throw nothingHeld(revision);
    if (held.revision !== revision) throw heldOther(held.revision, revision);
    return held;
  }

  return {
    load(edits) {
      changes += 1;
      return put(edits).groups;
    },
    submit(edits, nowMs) {
      const others = supersede(edits);
      if (edits.length === 0) return NONE;
      const { judgement, changes, groups } = attempt(edits);
      if (judgement.state === 'good') return joined(changes, retryAfter(groups, others, nowMs));
      const isMore = waiting.has(judgement.state);
      join(edits, judgement, groups, nowMs);
      if (isMore) others.add(judgement.state);
      return retryAfter(new Set(), others, nowMs);
    },
    withhold(names, excesses, nowMs) {
      const edits = names.map((name) => ({ name, is: membership.workload(name) }));
      changes += 1;
      const { counts } = put(names.map((name) => ({ name, is: null })));
      join(edits, { state: 'refused', excesses }, new Set(counts.keys()), nowMs);
      return edits;
    },
    reconsider: (nowMs) => retryAfter(new Set(), new Set(KINDS), nowMs),
    isRefused: (workload) => waiting.get('refused')?.edits.has(workload) === true,
    requireHeld: (revision) => void heldAs(revision),
    accept(revision, nowMs) {
      const { edits } = heldAs(revision);
      waiting.delete('held');
      const { judgement, changes, groups } = attempt([...edits.values()], true);
      if (judgement.state === 'good') return joined(changes, retryAfter(groups, new Set(), nowMs));
      join(edits.values(), judgement, groups, nowMs);
      throw nothingHeld(revision);
    },
    status: () => ({ workloads: membership.counts().workloads, changes }),
    waiting: () =>
      KINDS.toReversed()
        .flatMap((kind) => waiting.get(kind) ?? [])
        .map(shown),
  };
}

function shown({ revision, sinceMs, edits, fault }: Waiting): WaitingChange {
  return { revision, sinceMs, workloads: [...edits.keys()].slice(0, MAX_SHOWN), fault };
}

function isSame(a: ReadonlyMap<string, WorkloadEdit>, b: ReadonlyMap<string, WorkloadEdit>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, edit] of a) if (b.get(name) !== edit) return false;
  return true;
}

/** One after the other, as one. */
function joined(first: Changes, then: Changes): Changes {
  if (first.size === 0) return then;
  if (then.size === 0) return first;
  const all = new Map(first);
  for (const [group, { add, remove }] of then) {
    const was = all.get(group);
    const change = was === undefined ? { add, remove } : inOrder(was, { add, remove });
    all.set(group, change);
    if (change.add.length + change.remove.length === 0) all.delete(group);
  }
  return all;
}

function inOrder(first: GroupChange, then: GroupChange): GroupChange {
  const add = new Set(first.add);
  const remove = new Set(first.remove);
  for (const address of then.remove) if (!add.delete(address)) remove.add(address);
  for (const address of then.add) if (!remove.delete(address)) add.add(address);
  return { add: [...add].sort(compareText), remove: [...remove].sort(compareText) };
}

function nothingHeld(revision: number): EdgewardError {
  return new EdgewardError('EDW_ERR_NOTHING_HELD', `accepting ${revision}: no change of the inventory is held`, {
    mend: 'Look at the status; it may have been accepted or withdrawn already, or it is refused and not held.',
  });
}

export function heldOther(held: number, asked: number): EdgewardError {
  return new EdgewardError('EDW_ERR_HELD_OTHER', `accepting ${asked}: what is held is ${held} by now`, {
    mend: 'Look at the status again and accept the revision that it names.',
  });
}
