import type { Explanation, Finding, Flow, ObjectLoss, ProtectedObject } from '@edgeward/policy';
import type { KnownIdentities } from './recent-identities.ts';

/** What the points should hold, whoever decided it: the embedded store of a directory, or a central one. */
export interface PolicyInForce {
  /** Publishes the held revision. Throws EDW_ERR_NOTHING_HELD, EDW_ERR_HELD_OTHER. */
  accept(revision: number): Promise<void>;
  /** A point holds a revision that was not ours: number from there on. */
  foundRevision(point: string, revision: number): Promise<void>;
  status(): PolicyStatus;
  /** A point has taken a revision, or can't be reached, or says something else than before. */
  pointChanged(point: string): void;
  /** How a flow is judged by what is in force now; null before there is anything. */
  explain(flow: Flow): Explanation | null;
  /** The policy of this point whose labels fit an event of this revision best, and its revision; without one, the newest. */
  identities(point: string, revision?: number): KnownIdentities | null;
  /** Of all points served here. */
  objects(): readonly ProtectedObject[];
  /** Waits for what is being written. */
  close(): Promise<void>;
}

export interface PolicyStatus {
  /** `last-known-good`: the source is away or has errors. */
  state: 'current' | 'last-known-good' | 'none';
  revision: number;
  hash: string;
  changedAtMs: number | null;
  /** Why the source's newest content is not in force. */
  errors: Finding[];
  warnings: Finding[];
  held: { revision: number; heldAtMs: number; objects: ObjectLoss[] } | null;
  nextChangeAtMs: number | null;
  /** Failed writes of state since the start; enforcement goes on without them. */
  stateWriteFailures: number;
}
