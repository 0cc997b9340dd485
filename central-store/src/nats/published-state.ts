/**
 * What is in force, as whoever carries it elsewhere asks for it. Nothing is handed over: a carrier that was away for an
 * hour then has one state to bring over, not an hour's worth of steps.
 */
import type { Cursor, Delta, Digest, SignedDocument } from '@edgeward/policy-format';

export interface PublishedState {
  points(): Iterable<string>;
  /** Null for a point that is no more. */
  head(point: string): PublishedHead | null;
  /** Null where there is none; for what the newest head names that is a fault. */
  blob(point: string, digest: Digest): Promise<Uint8Array | null>;
  /** The way from there to the newest head, or null where it is not known any more. */
  delta(point: string, from: Cursor): Promise<Delta | null> | Delta | null;
  /** Every trust root there ever was. */
  roots(): Iterable<{ version: number; signed: SignedDocument }>;
}

export interface PublishedHead {
  signed: SignedDocument;
  cursor: Cursor;
  /** Everything that it names, pages included. */
  blobs: readonly Digest[];
}

/** Where changes are told. Losing one costs time: everything is compared now and then. */
export interface Publication {
  /** Also when it is gone. */
  headChanged(point: string): void;
  rootsChanged(): void;
}
