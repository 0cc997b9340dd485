export { type Acceptance, type Accepted, acceptDelta, acceptHead, type Fetch, restoreState } from './acceptance.ts';
export {
  type Approval,
  approvalOf,
  approvalSchema,
  type Risk,
  type SliceApproval,
  sliceApprovalOf,
} from './approval.ts';
export { canonicalJson, isTooDeep, parseCanonical } from './canonical-json.ts';
export {
  type Cursor,
  composeOperations,
  type Delta,
  type DeltaOperation,
  deltaBytes,
  deltaFrom,
  deltaOf,
  operationsBetween,
} from './delta.ts';
export { type Digest, digestOf, isDigest } from './digest.ts';
export { checkFences, type Fenced } from './fences.ts';
export { type GoodSignatures, goodSignatures } from './good-signatures.ts';
export {
  type Blob,
  type Checkpoint,
  type Head,
  headOf,
  isStale,
  signHead,
  stateRootOf,
} from './head.ts';
export { LIMITS } from './limits.ts';
export { bookFromPages, createMemberBook, type MemberBook } from './member-book.ts';
export { memberIndexOf } from './member-pages.ts';
export { Nacked, nackOf } from './nack.ts';
export { isName } from './name.ts';
export { type Answer, answerBytes, answerFrom, cursorIn, type SignedHead, tagOf } from './point-answer.ts';
export { type AskedQuestion, formatCursor, type PointQuestion, questionOf, questionText } from './point-question.ts';
export { type Nack, POINT_REPORT_STATES, type PointReport, pointReportOf, pointReportSchema } from './point-report.ts';
export {
  cursorOf,
  effectiveRules,
  type Floor,
  type HeldApproval,
  type PointState,
  sliceBytes,
} from './point-state.ts';
export { refused } from './refusal.ts';
export { verifyFirstRoot, verifyNextRoot } from './root-chain.ts';
export { FEATURES, requiredFeatures, rulesBytes, rulesOf } from './rules-document.ts';
export {
  addSignature,
  digestOfPayload,
  generateSigningKey,
  keyIdOf,
  payloadOf,
  type SignedDocument,
  type SigningKey,
  sign,
  signedDocumentOf,
  signersOf,
  signingKeyOf,
} from './signing.ts';
export { keysOf, peopleWhoSigned, whoCanSign } from './signing-people.ts';
export { type SliceLeaf, type SlicePlace, sliceTree, verifySlice } from './slice-tree.ts';
export { type StateBlob, stateBlobs } from './state-blobs.ts';
export {
  digestOfRoot,
  type Person,
  type PublicKey,
  ROLES,
  type Role,
  type Thresholds,
  type TrustRoot,
  trustRootOf,
  trustRootSchema,
} from './trust-root.ts';
export { type VerifiedApproval, verifyApproval } from './verified-approval.ts';
