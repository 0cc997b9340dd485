export type { Approval, Risk, SliceApproval } from './approval.ts';
export { canonicalJson, parseCanonical } from './canonical-json.ts';
export type { Cursor, Delta, DeltaOperation } from './delta.ts';
export { type Digest, digestOf, isDigest } from './digest.ts';
export type { Blob, Checkpoint, Head } from './head.ts';
export { LIMITS } from './limits.ts';
export { bookFromPages, createMemberBook, type MemberBook, type Page } from './member-book.ts';
export { isGroupId, isPlainAddress, type MemberIndex, memberIndexOf, pageCountOf } from './member-pages.ts';
export { isName } from './name.ts';
export type { Nack, NackStage, PointReport } from './point-report.ts';
export { refused } from './refusal.ts';
export {
  addSignature,
  generateSigningKey,
  keyIdOf,
  payloadBytes,
  payloadOf,
  type SignedDocument,
  type SigningKey,
  sign,
  signedDocumentOf,
  signersOf,
  signingKeyOf,
} from './signing.ts';
export { type SliceLeaf, type SlicePlace, sliceTree, verifySlice } from './slice-tree.ts';
export type { Person, PublicKey, Role, Thresholds, TrustRoot } from './trust-root.ts';
