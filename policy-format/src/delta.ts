import { compareText } from '@edgeward/policy';
import * as z from 'zod';
import { canonicalJson, parseCanonical } from './canonical-json.ts';
import type { Digest } from './digest.ts';
import { ascends, countField, digestField, groupField, ordinalField, readAs } from './fields.ts';
import { LIMITS } from './limits.ts';
import type { MemberBook } from './member-book.ts';
import { refused } from './refusal.ts';
import { type SignedDocument, signedDocumentOf, withEncodedPayload, withOpenPayload } from './signing.ts';

/**
 * From one state of a point to another. Unsigned: it is good if and only if it reaches the `stateRoot` of the signed
 * head in it. No operation is a change of nothing, and still has to reach it.
 */
export interface Delta {
  typ: 'edgeward-delta/1';
  from: Cursor;
  /** In the order of their groups, each once. */
  operations: DeltaOperation[];
  head: SignedDocument;
}

export type DeltaOperation =
  /** Sorted addresses; every one to add is missing, every one to remove is there. */
  { op: 'members'; group: string; add: string[]; remove: string[] };

/** What a client holds. The store keeps no cursor of anybody. */
export interface Cursor {
  epoch: number;
  revision: number;
  stateRoot: Digest;
}

const cursor: z.ZodType<Cursor> = z.strictObject({
  epoch: countField,
  revision: ordinalField,
  stateRoot: digestField,
});

/** As long as an address can be. Whether it is one, and in its place, is seen where it is applied. */
const addresses = z.array(z.string().max(39));

const operation: z.ZodType<DeltaOperation> = z.strictObject({
  op: z.literal('members'),
  group: groupField,
  add: addresses,
  remove: addresses,
});

export const deltaSchema: z.ZodType<Omit<Delta, 'head'> & { head: unknown }> = z.strictObject({
  typ: z.literal('edgeward-delta/1'),
  from: cursor,
  operations: z.array(operation),
  head: z.unknown(),
});

/** Throws EDW_ERR_FORMAT_DELTA, EDW_ERR_FORMAT_SIGNED. */
export function deltaOf(value: unknown): Delta {
  const { head, ...rest } = readAs(deltaSchema, value, 'EDW_ERR_FORMAT_DELTA', 'the delta');
  const { operations } = rest;
  const idle = operations.find(({ add, remove }) => add.length + remove.length === 0);
  if (idle !== undefined)
    throw refused('EDW_ERR_FORMAT_DELTA', `the delta: it names ${idle.group}, and changes nothing of it`);
  if (!ascends(operations.map(({ group }) => group)))
    throw refused('EDW_ERR_FORMAT_DELTA', 'the delta: its groups are not in order, each once');
  return { ...rest, head: signedDocumentOf(head) };
}

/**
 * As it travels: canonical JSON, the head's payload as a value in it. Throws what `parseCanonical`, `withEncodedPayload` and
 * `deltaOf` throw.
 */
export function deltaFrom(bytes: Uint8Array): Delta {
  const value = parseCanonical(bytes, 'the delta', LIMITS.deltaBytes);
  if (!hasHead(value)) return deltaOf(value);
  return deltaOf({ ...value, head: withEncodedPayload(value.head, 'the head in the delta', LIMITS.headBytes) });
}

function hasHead(value: unknown): value is { head: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'head');
}

export function deltaBytes({ head, ...rest }: Delta): Buffer {
  return Buffer.from(canonicalJson({ ...rest, head: withOpenPayload(head, 'the head', LIMITS.headBytes) }));
}

/** What makes `after` of `before`. */
export function operationsBetween(before: MemberBook, after: MemberBook): DeltaOperation[] {
  const groups = new Set([...before.groups(), ...after.groups()]);
  const operations: DeltaOperation[] = [];
  for (const group of groups) {
    const was = before.members(group);
    const is = after.members(group);
    // Books of one line share what did not change.
    if (was === is) continue;
    const operation: DeltaOperation = { op: 'members', group, add: missingIn(was, is), remove: missingIn(is, was) };
    if (changes(operation)) operations.push(operation);
  }
  return inOrder(operations);
}

/** What the second list has and the first has not; both sorted. */
export function missingIn(list: readonly string[], among: readonly string[]): string[] {
  const out: string[] = [];
  let at = 0;
  for (const address of among) {
    while (at < list.length && (list[at] as string) < address) at += 1;
    if (list[at] !== address) out.push(address);
  }
  return out;
}

/** Several changes, one after another, as one: what was added and removed again is in neither list. */
export function composeOperations(changesInOrder: readonly (readonly DeltaOperation[])[]): DeltaOperation[] {
  const net = new Map<string, Map<string, 'add' | 'remove'>>();
  for (const operations of changesInOrder)
    for (const { group, add, remove } of operations) {
      const ofGroup = net.get(group) ?? new Map<string, 'add' | 'remove'>();
      net.set(group, ofGroup);
      for (const address of remove) note(ofGroup, address, 'remove');
      for (const address of add) note(ofGroup, address, 'add');
    }
  return inOrder([...net].map(([group, ofGroup]) => operationOf(group, ofGroup)).filter(changes));
}

/** An address is added only where it is missing, and removed only where it is: the second of two takes back the first. */
function note(ofGroup: Map<string, 'add' | 'remove'>, address: string, list: 'add' | 'remove'): void {
  const before = ofGroup.get(address);
  if (before === list) throw refused('EDW_ERR_FORMAT_DELTA', `${address} was to ${list} twice, one after another`);
  if (before === undefined) ofGroup.set(address, list);
  else ofGroup.delete(address);
}

function operationOf(group: string, ofGroup: ReadonlyMap<string, 'add' | 'remove'>): DeltaOperation {
  const listed = (list: 'add' | 'remove'): string[] =>
    [...ofGroup].flatMap(([address, in_]) => (in_ === list ? [address] : [])).sort(compareText);
  return { op: 'members', group, add: listed('add'), remove: listed('remove') };
}

function changes({ add, remove }: DeltaOperation): boolean {
  return add.length + remove.length > 0;
}

function inOrder(operations: DeltaOperation[]): DeltaOperation[] {
  return operations.sort((a, b) => compareText(a.group, b.group));
}
