import type { Cursor, Delta, Digest, PointQuestion, PointReport, SignedDocument } from '@edgeward/policy-format';
import type { TlsTexts } from './https/tls-identity.ts';

/**
 * One way to a store. It carries and never judges: whatever comes through here is believed only after it was verified.
 * Every call is bounded in time and in bytes by the transport itself, and ends early when `signal` is aborted (whatever it
 * then throws is the caller's own doing). `policy-feed/test/conformance.ts` holds every transport to what stands here.
 */
export interface Transport {
  /** For logs and the status: `https://store:9443`, `nats://…`, `file:/srv/mirror`. Never a secret. */
  readonly name: string;
  /** Whether `next` waits for news. Of one that does not, hints and polls are all there is. */
  readonly waits?: boolean;
  /**
   * What is newer than `known` for this point. Waits up to `waitMs` for it where the transport can; one that can't answers
   * at once. `known` is what was taken over: a head that was given before and refused is given again. With `waitMs` 0 a head
   * of the same state that was signed anew counts as news; a wait may pass over it. Throws EDW_ERR_STORE_UNREACHABLE,
   * EDW_ERR_STORE_REFUSED, EDW_ERR_STORE_ANSWER, EDW_ERR_STORE_CERTIFICATE, EDW_ERR_STORE_URL, and EDW_ERR_STORE_NO_POINT
   * where there is nothing for this point.
   */
  next(point: string, known: Cursor | null, options: { waitMs: number; signal: AbortSignal }): Promise<News>;
  /**
   * All of it in one question, and the next one when this is answered: what is newer than what is held, the same state signed
   * anew included, and what there is to tell. Waits as `next` does, and throws the same. Where it is absent, news and reports
   * go ways of their own, and where the transport does not wait.
   */
  question?(point: string, asked: PointQuestion, signal: AbortSignal): Promise<Answered>;
  /**
   * Bytes of this digest, at most `maxBytes`, or null where there are none. The caller compares the digest. More bytes than
   * that are EDW_ERR_STORE_ANSWER. `point`: on whose behalf, where there is one; it may have a way of its own.
   */
  blob(digest: Digest, maxBytes: number, signal: AbortSignal, point?: string): Promise<Uint8Array | null>;
  /** The signed trust root of this version, or null. */
  root(version: number, signal: AbortSignal): Promise<SignedDocument | null>;
  /** Calls `onHint` when something may be new. A hint may be lost, doubled or wrong; losing all of them costs time only. */
  hints?(points: readonly string[], onHint: (point: string) => void): () => void;
  /** Told to the store; null where this way leads one way only. */
  report: ((report: PointReport, signal: AbortSignal) => Promise<void>) | null;
  /**
   * Who is where, newer than what `known` names; null: nothing is, or there is nothing. For names in denials and nothing
   * else: it is not signed, and no verdict depends on it. Absent where this way does not carry it. Throws as `next` does,
   * here or while the lines are read.
   */
  inventory?(known: string | null, signal: AbortSignal): Promise<Inventory | null>;
  /**
   * Who this service is from the next question on, and whom it believes; what is under way ends as it began. Throws
   * EDW_ERR_STORE_CERTIFICATE, and nothing changed. Absent where no certificate is shown, or it is read when it connects.
   */
  renew?(tls: TlsTexts): void;
  close(): Promise<void>;
}

export interface Inventory {
  /** What to call it by the next time. */
  etag: string;
  /** Workload documents as they came, some lines at a time, to be read once; bounded, and not looked at. */
  lines: AsyncIterable<readonly string[]>;
}

/** `heard`: whether the report that the question carried has arrived; false as well where there was none. */
export interface Answered {
  news: News;
  heard: boolean;
}

/** `bytes`: what the news took on the way, where the transport knows. `blobs`: what came along, by the digest that it has. */
export type News =
  | { state: 'unchanged' }
  | { state: 'head'; head: SignedDocument; bytes?: number }
  | { state: 'delta'; delta: Delta; blobs?: ReadonlyMap<Digest, Uint8Array>; bytes?: number };
