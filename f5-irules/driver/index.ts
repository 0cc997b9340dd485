export { type BigipPoint, type BigipPointOptions, createBigipPoint } from './bigip-point.ts';
export { type Bound, findHazards, type Hazard, type HazardCode } from './hazards.ts';
export { CALLS, type CallRecord, createIcontrol, type Icontrol, objectPath } from './icontrol/index.ts';
export { type EnforcementRule, type EnforcementRules, enforcementRules } from './irules.ts';
export {
  type AttachmentResult,
  type BigipReview,
  type BigipReviewOptions,
  changesNothing,
  createBigipReview,
  type Difference,
  type DiscoveredVirtual,
  type Discovery,
  type FlowChange,
  type ObjectChange,
  type PlannedCall,
  type Preview,
  type RulesChange,
  type Unread,
  type Verification,
} from './review/index.ts';
