import type { Digest } from './digest.ts';

/** The newest state of one point, signed by a key of the store. About 1 kB: everything else is named by its digest. */
export interface Head {
  typ: 'edgeward-head/1';
  store: string;
  /** The point. */
  aud: string;
  epoch: number;
  /** Grows by what the store publishes anywhere; a head that does not concern a point keeps its number. */
  revision: number;
  issuedAt: string;
  /** From then on `policy_stale`; never a reason to open or close. */
  expiresAt: string;
  /** Version of the trust root that the newest approval was made under. */
  root: number;
  /** Features that must be known, sorted; see `FEATURES`. */
  requires: string[];
  /** A `SliceApproval`. */
  approval: Blob;
  /** A `PointRules`. */
  rules: Blob;
  /** Under a break-glass approval: what is in force again when it ends. */
  base: { approval: Blob; rules: Blob } | null;
  /** The index of member pages. */
  members: Blob;
  stateRoot: Digest;
  /** The record of attempts when this was signed: how many entries, and the hash of the last. */
  log: Checkpoint;
}

export interface Blob {
  digest: Digest;
  bytes: number;
}

export interface Checkpoint {
  size: number;
  hash: Digest;
}
