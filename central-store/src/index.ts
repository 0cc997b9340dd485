export {
  type ComputedPayload,
  computeApprovalPayload,
  type PayloadInputs,
  type Predecessor,
  recomputeApproval,
  type Slice,
  slicesOf,
} from './bundle/approval-payload.ts';
export {
  type Bundle,
  type BundleDocument,
  type BundleKind,
  bundleOf,
  type Grant,
  grantDocument,
  inventoryOf,
  parseBundle,
  sourceDocumentsOf,
  withDocument,
  withoutDocument,
} from './bundle/bundle.ts';
export { type RiskFinding, risksOf } from './bundle/risks.ts';
export {
  type InitOptions,
  initStore,
  openStoreFolder,
  type StoreFolder,
  type TrustRoots,
} from './folder/store-folder.ts';
export type {
  FollowUp,
  GivenApproval,
  ProposalState,
  ProposalSummary,
  Proposals,
  ProposalView,
  Published,
  PublishedVersion,
} from './proposals/proposals.ts';
export { type Actor, type Attempt, recordRefusal, rehearse, type Work, withRecord } from './record/attempt.ts';
export type { NewEntry, Outcome, RecordEntry } from './record/entry.ts';
export { type AttemptRecord, openRecord, type RecordOptions } from './record/record.ts';
export { type RecordProblem, type RecordVerification, verifyRecord } from './record/verification.ts';
