export {
  type AddressKey,
  formatAddress,
  type Interval,
  keyFromBytes,
  parseAddress,
  parseCidr,
  predecessor,
  successor,
} from './address.ts';
export { cidrsOf, parseCidrs } from './cidr-list.ts';
export { POLICY_ERRORS, POLICY_WARNINGS, type PolicyCode } from './codes.ts';
export { compileFault, compilePoint, compilePoints, type Digest, pointsOf } from './compile.ts';
export type { CompileMemo } from './compile-memo.ts';
export type * from './compiled.ts';
export { viewOf } from './compiled-view.ts';
export {
  decide,
  decideFor,
  type LoadedPolicy,
  type MissingPolicy,
  type ObjectView,
  type PolicyView,
} from './decide.ts';
export { nextChangeMs } from './endings.ts';
export { type Explanation, explain, reasonInWords } from './explain.ts';
export type * from './finding.ts';
export type * from './flow.ts';
export {
  type ChangeBounds,
  type ChangeTotals,
  type FlowChange,
  type FlowSide,
  flowChanges,
  type ObjectFlowChanges,
  type PointChanges,
  type PolicyChanges,
} from './flow-change.ts';
export type { ChangedSource } from './flow-change-source.ts';
export { addSpan, eachStretch, type Said } from './flow-stretch.ts';
export { describeFlow } from './flow-text.ts';
export { groupIdOf, parseSelectorText, termOfGroup } from './group-id.ts';
export { type Identities, identitiesOf, type SourceIdentity } from './identity.ts';
export { compareKeys, contains, type Labelled, union } from './interval.ts';
export { lookup, pack, unpack } from './interval-table.ts';
export { linkInventory, withInventory } from './inventory.ts';
export { type DocumentMemo, linkModel } from './linking.ts';
export { type LintOptions, lint } from './lint.ts';
export { type KnownLoss, lostFlows, type ObjectLoss } from './loss.ts';
export type { Document, Model, Placed, ProtectedObject, SourceTerm, Workload } from './model.ts';
export { nearestRule } from './nearest-rule.ts';
export type { LimitFinding } from './plan-limits.ts';
export type { PointSize } from './plan-size.ts';
export type * from './point-rules.ts';
export { type ObjectViews, pointViews, runPolicyTests, type TestResult } from './policy-tests.ts';
export { formatPortRange, normalisePorts, parsePort, parsePortRange } from './ports.ts';
export {
  createReplay,
  type RecordedVerdict,
  type Replay,
  type ReplayGroup,
  type ReplayResult,
  type ReplayTally,
} from './replay.ts';
export {
  compareRequests,
  EVERY_REQUEST,
  type Request,
  type RequestChanges,
  type RequestPattern,
  requestText,
} from './request-pattern.ts';
export { type Resolution, resolve } from './resolve.ts';
export { resolveSlice, type SliceResolution } from './resolve-slice.ts';
export { type LabelCondition, type Labels, type Selector, selects } from './selector.ts';
export { slicePolicy } from './slice.ts';
export { columnsOf, type TableColumns } from './table-columns.ts';
export { compareText } from './text-order.ts';
export { type WorkloadGroup, workloadGroupsOf } from './workload-groups.ts';
