import { approvalsOf, membersOf, rulesOfHead } from './acceptance-parts.ts';
import { acceptedAfter } from './approval-checks.ts';
import { type Delta, deltaOf } from './delta.ts';
import type { Digest } from './digest.ts';
import { checkFences, type Fenced } from './fences.ts';
import type { GoodSignatures } from './good-signatures.ts';
import { stateRootOf } from './head.ts';
import {
  checkFrom,
  checkOrder,
  checkPlace,
  checkRequires,
  isSignedByStore,
  type ReadHead,
  readHead,
  refuseUnsigned,
} from './head-checks.ts';
import type { MemberBook } from './member-book.ts';
import { at } from './nack.ts';
import type { Floor, HeldApproval, PointState } from './point-state.ts';
import { refused } from './refusal.ts';
import { verifyNextRoot } from './root-chain.ts';
import { FEATURES } from './rules-document.ts';
import { type SignedDocument, signedDocumentOf } from './signing.ts';
import type { TrustRoot } from './trust-root.ts';

/**
 * The last hop's decision whether what came from a store is believed: the checks of `docs/format.md` in their order, each
 * refusal with its stage. What is handed in is never changed, so that whoever is refused holds what was held. Nothing is
 * fetched but through `fetch`, and no clock is read.
 */
export interface Acceptance {
  /** The point that this is for. */
  point: string;
  /** What is held; null before the first. */
  known: PointState | null;
  floor: Floor | null;
  /** The newest that is known. */
  root: TrustRoot;
  fetch: Fetch;
  nowMs: number;
  /** Of approvals. May be shared with other points, whatever their roots are. */
  signatures?: GoodSignatures;
}

export interface Fetch {
  /** The bytes of this name, at most `maxBytes`, or null. They are compared with the name here. */
  blob(digest: Digest, maxBytes: number): Promise<Uint8Array | null>;
  /** The signed trust root of this version, or null. */
  root(version: number): Promise<unknown>;
  /** A newer trust root was verified: durable when it resolves, whatever becomes of the head that led to it. */
  keepRoot(document: SignedDocument, root: TrustRoot): Promise<void>;
}

/** To be kept in this order: the state, then the floor; then the store is told. */
export interface Accepted {
  state: PointState;
  floor: Floor;
  /** The newest; kept already. */
  root: TrustRoot;
  /** Whether it was the very head that is held: nothing is to be kept. */
  unchanged: boolean;
}

/** Throws `Nacked`. */
export async function acceptHead(task: Acceptance & { head: unknown }): Promise<Accepted> {
  return accept(task, task.head, (read) => membersOf(read.head, task));
}

/** Throws `Nacked`; the next try is a head alone. */
export async function acceptDelta(task: Acceptance & { known: PointState; delta: Delta }): Promise<Accepted> {
  const { known } = task;
  const delta = await at('head', () => deltaOf(task.delta));
  return accept(task, delta.head, () =>
    at('members', () => {
      checkFrom(delta, known);
      return known.book.change(delta.operations);
    }),
  );
}

/**
 * What was kept on disk. The head that the floor was made of was verified before it was kept, and stays good when the keys
 * that signed it are gone: a point that restarts without a store has to go on with what it had. Everything else is verified
 * as it was the first time. Throws `Nacked`.
 */
export async function restoreState(task: {
  point: string;
  head: unknown;
  floor: Floor | null;
  root: TrustRoot;
  blob: Fetch['blob'];
  nowMs: number;
}): Promise<Accepted> {
  const fetch: Fetch = { blob: task.blob, root: async () => null, keepRoot: async () => {} };
  return acceptHead({ ...task, known: null, fetch });
}

async function accept(
  task: Acceptance,
  document: unknown,
  members: (read: ReadHead) => Promise<MemberBook>,
): Promise<Accepted> {
  const read = await at('head', () => readHead(document));
  const isKept = task.floor?.head === read.digest;
  const root = isKept ? task.root : await rootBehind(read, task);
  await at('head', () => checkHead(read, { ...task, root }, isKept));
  const unchanged = unchangedBy(read, task);
  if (unchanged !== null) return { ...unchanged, root, unchanged: true };
  const held = await approvalsOf(read.head, { ...task, root });
  const rules = await rulesOfHead(read.head, task);
  const book = await members(read);
  const documents = rules.base === null ? [rules.own] : [rules.own, rules.base];
  await at('fence', () => checkFences(documents, book, fencedBefore(task.known)));
  await at('state', () => checkState(read, book));
  const base = held.base === null || rules.base === null ? null : { approval: held.base, rules: rules.base };
  const state = { head: read.head, signedHead: read.signed, approval: held.own, rules: rules.own, base, book };
  return { state, floor: floorAfter(task.floor, read, held), root, unchanged: false };
}

/**
 * The trust root that the head is signed under, newer ones fetched as far as it takes: a head that needs none costs no
 * question for one.
 */
async function rootBehind(read: ReadHead, task: Acceptance): Promise<TrustRoot> {
  let root = task.root;
  for (;;) {
    const isSigned = await isSignedByStore(read, root);
    if (isSigned && read.head.root <= root.version && read.head.epoch <= root.epoch) return root;
    const next = await nextRoot(root, task);
    if (next !== null) root = next;
    else if (isSigned) return root;
    else return at('head', () => refuseUnsigned(root));
  }
}

async function nextRoot(root: TrustRoot, { fetch }: Acceptance): Promise<TrustRoot | null> {
  const document = await at('fetch', () => fetch.root(root.version + 1));
  if (document === null || document === undefined) return null;
  return at('root', async () => {
    const next = await verifyNextRoot(root, document);
    await fetch.keepRoot(signedDocumentOf(document), next);
    return next;
  });
}

function checkHead(read: ReadHead, { root, floor, point }: Acceptance, isKept: boolean): void {
  checkPlace(read.head, root, point);
  if (!isKept) checkOrder(read, root, floor);
  checkRequires(read.head, FEATURES);
}

function unchangedBy({ signed }: ReadHead, { known, floor }: Acceptance): { state: PointState; floor: Floor } | null {
  if (known === null || floor === null) return null;
  return known.signedHead.payload === signed.payload ? { state: known, floor } : null;
}

function fencedBefore(known: PointState | null): Fenced | null {
  if (known === null) return null;
  const { rules, base, book } = known;
  return { rules: base === null ? [rules] : [rules, base.rules], book };
}

/** From what was verified, and not from what the head says of it. */
function checkState({ head }: ReadHead, book: MemberBook): void {
  const { bytes, digest } = book.index();
  const reached = stateRootOf({ ...head, members: { digest } });
  if (reached === head.stateRoot && digest === head.members.digest && bytes.length === head.members.bytes) return;
  throw refused('EDW_ERR_STATE_ROOT', `the state comes to ${reached}, and the head says ${head.stateRoot}`);
}

function floorAfter(
  floor: Floor | null,
  { head, digest }: ReadHead,
  { own, base }: { own: HeldApproval; base: HeldApproval | null },
): Floor {
  const { version, previous, returnUntil } = own.approval;
  const isNewest = floor === null || version > floor.newest.version;
  const { epoch, revision, stateRoot, issuedAt } = head;
  return {
    epoch,
    revision,
    stateRoot,
    issuedAt,
    head: digest,
    newest: isNewest ? { version, digest: own.digest, previous, returnUntil } : floor.newest,
    accepted: acceptedAfter(floor, own, base),
  };
}
