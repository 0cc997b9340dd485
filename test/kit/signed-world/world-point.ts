/** What one point of a signed world is given: its head, and the way there from every state that it ever had. */
import {
  type Cursor,
  createMemberBook,
  type Delta,
  type Head,
  type MemberBook,
  operationsBetween,
  requiredFeatures,
  type SignedDocument,
  signHead,
  stateRootOf,
} from '@edgeward/policy-format';
import type { Version, VersionSlice } from './approved-version.ts';
import type { WorldKeys } from './first-root.ts';

/** Addresses by group. */
export type Members = Readonly<Record<string, readonly string[]>>;

export interface WorldPoint {
  point: string;
  version: Version;
  base: Version | null;
  head: Head;
  signed: SignedDocument;
  book: MemberBook;
  /** Every book that it had, by the state's digest. */
  books: Map<string, MemberBook>;
}

export interface PointTask {
  point: string;
  version: Version;
  base: Version | null;
  members: Members;
  /** As it was; null: it is new. */
  before: WorldPoint | null;
  stamp: Pick<Head, 'store' | 'epoch' | 'revision' | 'root' | 'issuedAt' | 'expiresAt' | 'log'>;
  keys: WorldKeys;
}

/** Null for a point that the version does not speak of. */
export async function worldPoint(task: PointTask): Promise<WorldPoint | null> {
  const { point, version, base, before, stamp } = task;
  const slice = version.slices.get(point);
  if (slice === undefined) return null;
  const baseSlice = base?.slices.get(point) ?? null;
  const slices = baseSlice === null ? [slice] : [slice, baseSlice];
  const book = bookOf(slices, task.members, before?.book ?? null);
  const { digest, bytes } = book.index();
  const named = {
    approval: slice.approvalBlob,
    rules: slice.rulesBlob,
    base: baseSlice === null ? null : { approval: baseSlice.approvalBlob, rules: baseSlice.rulesBlob },
    members: { digest, bytes: bytes.length },
  };
  const head: Head = {
    typ: 'edgeward-head/1',
    aud: point,
    ...stamp,
    ...named,
    requires: [
      ...new Set([...slices.flatMap((it) => requiredFeatures(it.rules)), ...(base === null ? [] : ['break-glass'])]),
    ].sort(),
    stateRoot: stateRootOf(named),
  };
  const books = new Map(before?.books ?? []).set(head.stateRoot, book);
  return { point, version, base, head, signed: await signHead(head, task.keys.store), book, books };
}

function bookOf(slices: readonly VersionSlice[], members: Members, before: MemberBook | null): MemberBook {
  const groups = new Set<string>();
  for (const { rules } of slices)
    for (const group of rules.groups) if (group.kind === 'workloads') groups.add(group.id);
  const fresh = createMemberBook([...groups].map((group) => [group, members[group] ?? []] as const));
  return before === null ? fresh : before.change(operationsBetween(before, fresh));
}

/** Null where the state is not one that this point had. */
export function worldDelta({ books, book, signed }: WorldPoint, from: Cursor): Delta | null {
  const before = books.get(from.stateRoot);
  if (before === undefined) return null;
  return { typ: 'edgeward-delta/1', from, operations: operationsBetween(before, book), head: signed };
}
