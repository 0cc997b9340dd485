import type { Delta } from './delta.ts';
import type { Digest } from './digest.ts';
import { type Head, headOf } from './head.ts';
import { LIMITS } from './limits.ts';
import type { Floor, PointState } from './point-state.ts';
import { refused } from './refusal.ts';
import { digestOfPayload, payloadOf, type SignedDocument, signedDocumentOf, signersOf } from './signing.ts';
import type { TrustRoot } from './trust-root.ts';

/** A head, held to what is known before anything that it names is looked at. */
export interface ReadHead {
  head: Head;
  signed: SignedDocument;
  /** Of its payload. */
  digest: Digest;
}

/** Nothing of it is verified. Throws EDW_ERR_FORMAT_…. */
export function readHead(document: unknown): ReadHead {
  const signed = signedDocumentOf(document);
  const head = headOf(payloadOf(signed, 'the head', LIMITS.headBytes));
  return { head, signed, digest: digestOfPayload(signed) };
}

export async function isSignedByStore({ signed, head }: ReadHead, root: TrustRoot): Promise<boolean> {
  return (await signersOf(signed, head.typ, root.storeKeys)).size > 0;
}

/** Throws EDW_ERR_HEAD_UNSIGNED. */
export function refuseUnsigned(root: TrustRoot): never {
  throw refused(
    'EDW_ERR_HEAD_UNSIGNED',
    `the head is not signed by a store key of version ${root.version} of the trust root`,
  );
}

/** Throws EDW_ERR_HEAD_STORE, _AUDIENCE. */
export function checkPlace(head: Head, root: TrustRoot, point: string): void {
  if (head.store !== root.store) throw refused('EDW_ERR_HEAD_STORE', 'the head is of another store');
  if (head.aud !== point)
    throw refused('EDW_ERR_HEAD_AUDIENCE', `the head is for the point '${head.aud}', not for '${point}'`);
}

/** Throws EDW_ERR_HEAD_EPOCH, _ROOT, _ROLLBACK, _JUMP, _CONFLICT. */
export function checkOrder({ head, digest }: ReadHead, root: TrustRoot, floor: Floor | null): void {
  const offered = `epoch ${head.epoch}, revision ${head.revision}`;
  if (head.epoch !== root.epoch)
    throw refused('EDW_ERR_HEAD_EPOCH', `the head is of ${offered}; the trust root is of epoch ${root.epoch}`);
  if (head.root > root.version)
    throw refused('EDW_ERR_HEAD_ROOT', `the head rests on version ${head.root} of the trust root, not to be had here`);
  if (head.revision > LIMITS.revisionsAnEpoch * (head.epoch + 1))
    throw refused('EDW_ERR_HEAD_JUMP', `the head is of ${offered}, and no epoch ${head.epoch} comes that far`);
  // The first of a point, or of an epoch: there is nothing to measure it by.
  if (floor === null || head.epoch > floor.epoch || digest === floor.head) return;
  const kept = `epoch ${floor.epoch}, revision ${floor.revision}`;
  if (head.epoch < floor.epoch || head.revision < floor.revision)
    throw refused('EDW_ERR_HEAD_ROLLBACK', `the head is of ${offered}; ${kept} was taken over before`);
  if (head.revision - floor.revision > LIMITS.revisionsAtOnce)
    throw refused('EDW_ERR_HEAD_JUMP', `the head is of ${offered}, further than any store comes from ${kept}`);
  if (head.revision > floor.revision) return;
  if (head.stateRoot !== floor.stateRoot)
    throw refused('EDW_ERR_HEAD_CONFLICT', `the head is of ${offered}, which was taken over before as another state`);
  if (head.issuedAt <= floor.issuedAt)
    throw refused(
      'EDW_ERR_HEAD_ROLLBACK',
      `the head was issued ${head.issuedAt}; one of ${floor.issuedAt} was taken over`,
    );
}

/** Throws EDW_ERR_HEAD_REQUIRES: what is not known can't be left out. */
export function checkRequires(head: Head, features: readonly string[]): void {
  const unknown = head.requires.filter((feature) => !features.includes(feature));
  if (unknown.length > 0)
    throw refused('EDW_ERR_HEAD_REQUIRES', `the head requires ${unknown.join(', ')}, which this version does not know`);
}

/** A delta that begins where this point stands. Throws EDW_ERR_DELTA_FROM. */
export function checkFrom({ from }: Delta, known: PointState): void {
  const { epoch, revision, stateRoot } = known.head;
  if (from.epoch === epoch && from.revision === revision && from.stateRoot === stateRoot) return;
  throw refused(
    'EDW_ERR_DELTA_FROM',
    `the delta begins at epoch ${from.epoch}, revision ${from.revision}; epoch ${epoch}, revision ${revision} is held`,
  );
}
