/**
 * What one point is being served: its signed head as bytes, and what led there. Replaced whole; nobody sees one half new.
 */
import {
  type Cursor,
  canonicalJson,
  type Digest,
  digestOf,
  type Head,
  headOf,
  LIMITS,
  parseCanonical,
  payloadOf,
  type SignedDocument,
  type SigningKey,
  signedDocumentOf,
  signHead,
} from '@edgeward/policy-format';
import type { DeltaHistory } from './delta-history.ts';
import { digestsOf, type PointState } from './point-state.ts';
import type { SizedBytes } from './slice-blobs.ts';

export interface PublishedPoint {
  point: string;
  head: Head;
  signed: SignedDocument;
  /** As served and written. */
  bytes: Buffer;
  /** Of these bytes: the ETag. */
  digest: Digest;
  cursor: Cursor;
  renewAtMs: number;
  /** Everything that the head names, pages included. */
  blobs: readonly Digest[];
  /** Null for what an earlier process left, until it was worked out again. */
  state: PointState | null;
  history: DeltaHistory;
}

/** Of a head, beside what it is about. */
export interface Issue {
  store: string;
  key: SigningKey;
  root: { version: number; epoch: number };
  log: Head['log'];
  nowMs: number;
  headMs: number;
  random: () => number;
}

type About = Pick<Head, 'requires' | 'approval' | 'rules' | 'base' | 'members' | 'stateRoot'>;

/** A head for a new state. */
export function issuedPoint(
  issue: Issue,
  state: PointState,
  revision: number,
  history: DeltaHistory,
): Promise<PublishedPoint> {
  const blobs = digestsOf(state);
  return signed(issue, aboutState(state), { point: state.point, revision, blobs, state, history, afterMs: 0 });
}

/** The same state and number, issued anew: later than before, whatever the clock says. */
export function renewedPoint(issue: Issue, was: PublishedPoint): Promise<PublishedPoint> {
  const afterMs = Date.parse(was.head.issuedAt);
  return signed(issue, was.head, { ...was, revision: was.head.revision, afterMs });
}

async function signed(
  issue: Issue,
  { requires, approval, rules, base, members, stateRoot }: About,
  is: Pick<PublishedPoint, 'point' | 'blobs' | 'state' | 'history'> & { revision: number; afterMs: number },
): Promise<PublishedPoint> {
  const issuedMs = Math.max(issue.nowMs, is.afterMs + 1);
  const head: Head = {
    typ: 'edgeward-head/1',
    store: issue.store,
    aud: is.point,
    epoch: issue.root.epoch,
    revision: is.revision,
    issuedAt: new Date(issuedMs).toISOString(),
    expiresAt: new Date(issuedMs + issue.headMs).toISOString(),
    root: issue.root.version,
    requires,
    approval,
    rules,
    base,
    members,
    stateRoot,
    log: issue.log,
  };
  return pointWith(head, await signHead(head, issue.key), is, issue.random);
}

/** What lies there from an earlier process; null for what is no head of this store for this point. */
export function pointFrom(
  bytes: Buffer,
  expected: { point: string; store: string },
  left: { history: DeltaHistory; blobs: (head: Head) => readonly Digest[] },
  random: () => number,
): PublishedPoint | null {
  try {
    const document = signedDocumentOf(parseCanonical(bytes, 'a head', 2 * LIMITS.headBytes));
    const head = headOf(payloadOf(document, 'a head', LIMITS.headBytes));
    if (head.aud !== expected.point || head.store !== expected.store) return null;
    const is = { state: null, history: left.history, blobs: left.blobs(head) };
    return pointWith(head, document, is, random);
  } catch {
    return null;
  }
}

function pointWith(
  head: Head,
  document: SignedDocument,
  { state, history, blobs }: Pick<PublishedPoint, 'state' | 'history' | 'blobs'>,
  random: () => number,
): PublishedPoint {
  const bytes = Buffer.from(canonicalJson(document));
  const issuedMs = Date.parse(head.issuedAt);
  const lifeMs = Date.parse(head.expiresAt) - issuedMs;
  return {
    point: head.aud,
    head,
    signed: document,
    bytes,
    digest: digestOf(bytes),
    cursor: { epoch: head.epoch, revision: head.revision, stateRoot: head.stateRoot },
    // At about half its life: heads that were made together come apart.
    renewAtMs: issuedMs + lifeMs * (0.4 + 0.2 * random()),
    blobs,
    state,
    history,
  };
}

function aboutState({ slice, base, book, stateRoot }: PointState): About {
  const features = new Set<string>([
    ...slice.rules.features,
    ...(base?.rules.features ?? []),
    ...(base === null ? [] : ['break-glass']),
  ]);
  return {
    requires: [...features].sort(),
    approval: blob(slice.approvalBlob),
    rules: blob(slice.rulesBlob),
    base: base === null ? null : { approval: blob(base.approvalBlob), rules: blob(base.rulesBlob) },
    members: { digest: book.index().digest, bytes: book.index().bytes.length },
    stateRoot,
  };
}

function blob({ digest, length }: SizedBytes): Head['rules'] {
  return { digest, bytes: length };
}

/** Whether this key signed it, as it says itself. */
export function isSignedWith({ signed: { signatures } }: PublishedPoint, key: SigningKey): boolean {
  const [signature] = signatures;
  const header: unknown = JSON.parse(Buffer.from(signature?.protected ?? 'e30', 'base64url').toString());
  return typeof header === 'object' && header !== null && 'kid' in header && header.kid === key.kid;
}
