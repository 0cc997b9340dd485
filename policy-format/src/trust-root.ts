/**
 * Whom a store, its points and its people believe: keys and thresholds. The first one is pinned by hand at every verifier;
 * each later one is signed by enough approvers of the one before it and of itself (as in TUF, section 5.3).
 */
export interface TrustRoot {
  typ: 'edgeward-root/1';
  /** Random, 32 hex digits: no signature of one store means anything in another. */
  store: string;
  /** 1, 2, 3 … */
  version: number;
  /** Raised by people to recover from a revision that was driven up; resets the floor of every point. */
  epoch: number;
  /** Digest of the payload of the version before; null in the first. */
  previous: string | null;
  issuedAt: string;
  people: Person[];
  thresholds: Thresholds;
  /** Who may sign heads. */
  storeKeys: PublicKey[];
  /** Who may sign checkpoints of the record. */
  logKeys: PublicKey[];
}

export interface Person {
  /** As a name of the policy language. A client certificate names it as `urn:edgeward:person:NAME`. */
  name: string;
  roles: Role[];
  /** For authors and approvers. */
  keys: PublicKey[];
}

export type Role = 'viewer' | 'author' | 'approver' | 'publisher' | 'auditor';

export interface PublicKey {
  /** The first 16 characters of the JWK thumbprint (RFC 7638). */
  kid: string;
  /** `x` of an OKP JWK, Ed25519: 43 characters of base64url. */
  x: string;
}

/** How many approvers beside the proposer. The proposer's own signature is always needed and never counts. */
export interface Thresholds {
  /** A change without a risk. */
  normal: number;
  /** A change with one. */
  elevated: number;
  /** Changes of this document. */
  root: number;
  /** Hours that one approver alone can open something for; 0 switches it off, 4 at most. */
  breakGlassHours: number;
}
