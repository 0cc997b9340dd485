import type { Cursor, Delta, Digest, PointReport, SignedDocument } from '@edgeward/policy-format';

/**
 * One way to a store. It carries and never judges: whatever comes through here is believed only after it was verified.
 * Every call is bounded in time and in bytes by the transport itself, and ends early when `signal` is aborted.
 */
export interface Transport {
  /** For logs and the status: `https://store:9443`, `nats://…`, `file:/srv/mirror`. Never a secret. */
  readonly name: string;
  /**
   * What is newer than `known` for this point. Waits up to `waitMs` for it where the transport can; one that can't answers
   * at once. Throws EDW_ERR_STORE_UNREACHABLE, EDW_ERR_STORE_REFUSED, EDW_ERR_STORE_ANSWER.
   */
  next(point: string, known: Cursor | null, options: { waitMs: number; signal: AbortSignal }): Promise<News>;
  /** Bytes of this digest, at most `maxBytes`, or null where there are none. The caller compares the digest. */
  blob(digest: Digest, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | null>;
  /** The signed trust root of this version, or null. */
  root(version: number, signal: AbortSignal): Promise<SignedDocument | null>;
  /** Calls `onHint` when something may be new. A hint may be lost, doubled or wrong; losing all of them costs time only. */
  hints?(points: readonly string[], onHint: (point: string) => void): () => void;
  /** Told to the store; null where this way leads one way only. */
  report: ((report: PointReport, signal: AbortSignal) => Promise<void>) | null;
  close(): Promise<void>;
}

export type News = { state: 'unchanged' } | { state: 'head'; head: SignedDocument } | { state: 'delta'; delta: Delta };
