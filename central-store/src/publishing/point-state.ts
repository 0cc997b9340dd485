/**
 * What one point is to have, worked out and not yet signed: which version, which members, and the one digest of it all.
 * No time is in it: equal versions and members give equal states, whenever they are worked out.
 */
import {
  createMemberBook,
  type DeltaOperation,
  type Digest,
  type MemberBook,
  operationsBetween,
  stateRootOf,
} from '@edgeward/policy-format';
import type { NamedBytes, SliceBlobs } from './slice-blobs.ts';

/** What is in force at a point; `base` is what is in force again when a break-glass version ends. */
export interface PointSlices {
  version: number;
  slice: SliceBlobs;
  base: SliceBlobs | null;
}

export interface PointState extends PointSlices {
  point: string;
  book: MemberBook;
  stateRoot: Digest;
}

type Members = (group: string) => readonly string[];

/** `before` shares with the new book what did not change. */
export function stateOf(
  point: string,
  slices: PointSlices,
  members: Members,
  before: MemberBook | null,
): { state: PointState; operations: DeltaOperation[] | null } {
  const groups = workloadGroups(slices);
  const book = createMemberBook(groups.map((group) => [group, members(group)] as const));
  if (before === null) return { state: stateWith(point, slices, book), operations: null };
  const operations = operationsBetween(before, book);
  return { state: stateWith(point, slices, operations.length === 0 ? before : book), operations };
}

/** The same point with these changes of its members. */
export function stateAfter(state: PointState, operations: readonly DeltaOperation[]): PointState {
  return stateWith(state.point, state, state.book.change(operations));
}

function stateWith(point: string, { version, slice, base }: PointSlices, book: MemberBook): PointState {
  const stateRoot = stateRootOf({
    approval: slice.approvalBlob,
    rules: slice.rulesBlob,
    base: base === null ? null : { approval: base.approvalBlob, rules: base.rulesBlob },
    members: book.index(),
  });
  return { point, version, slice, base, book, stateRoot };
}

/** Groups with members, of both documents: what ends leaves the other, and that needs its members too. */
export function workloadGroups({ slice, base }: PointSlices): string[] {
  const groups = new Set<string>();
  for (const blobs of [slice, base]) for (const { id } of blobs?.rules.groups ?? []) groups.add(id);
  return [...groups].sort();
}

/** Everything that a head of this state names. */
export function* blobsOf({ slice, base, book }: PointState): Generator<NamedBytes> {
  for (const blobs of [slice, base]) {
    if (blobs === null) continue;
    yield blobs.rulesBlob;
    yield blobs.approvalBlob;
  }
  for (let number = 0; number < book.pageCount; number += 1) yield book.page(number);
  yield book.index();
}

export function digestsOf(state: PointState): Digest[] {
  return [...new Set([...blobsOf(state)].map(({ digest }) => digest))];
}
