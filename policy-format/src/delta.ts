import type { Digest } from './digest.ts';
import type { SignedDocument } from './signing.ts';

/**
 * From one state of a point to another. Unsigned: it is good if and only if it reaches the `stateRoot` of the signed
 * head in it. No operation is a change of nothing, and still has to reach it.
 */
export interface Delta {
  typ: 'edgeward-delta/1';
  from: Cursor;
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
