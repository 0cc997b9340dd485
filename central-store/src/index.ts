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
  inventoryOf,
  parseBundle,
  sourceDocumentsOf,
  withDocument,
  withoutDocument,
} from './bundle/bundle.ts';
export { type Grant, grantDocument } from './bundle/grant.ts';
export { type PublishedChain, verifyPredecessor } from './bundle/predecessor.ts';
export { type RiskFinding, risksOf } from './bundle/risks.ts';
export {
  type Address,
  loadStoreConfig,
  type NatsConfig,
  type StoreConfigSource,
  type StoreServiceConfig,
} from './config.ts';
export { type StoreConfigInput, storeConfigSchema } from './config-schema.ts';
export { type InitOptions, initStore, type NewStore } from './folder/init.ts';
export { newServerKey } from './folder/server-keys.ts';
export { openStoreFolder, type StoreFolder, type StoreFolderOptions } from './folder/store-folder.ts';
export type { TrustRoots } from './folder/trust-roots.ts';
export {
  createMembership,
  type Exceeded,
  type GroupChange,
  type GroupsSet,
  type MembersChanged,
  type Membership,
  type MembershipCounts,
  type WorkloadEdit,
} from './membership/index.ts';
export * from './nats/index.ts';
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
export * from './publishing/index.ts';
export { type Actor, rehearse, withRecord } from './record/attempt.ts';
export type { NewEntry, Outcome, RecordEntry } from './record/entry.ts';
export { type AttemptRecord, openRecord, type RecordOptions } from './record/record.ts';
export { type RecordProblem, type RecordVerification, verifyRecord } from './record/verification.ts';
export {
  createRollout,
  DECISIONS,
  DEFAULT_ROLLOUT,
  type Decision,
  type Rollout,
  type RolloutConfig,
  type RolloutOptions,
  type RolloutStatus,
  rolloutSchema,
  type WaveConfig,
  type WaveStatus,
} from './rollout/index.ts';
export { type Store, type StoreOptions, startStore } from './service/store.ts';
export type { PointStatus, RateLimits, StoreStatus } from './serving/index.ts';
