export {
  type DenialAnswer,
  type DenialBatch,
  type DenyReason,
  denialAnswerSchema,
  formatDenialBatch,
  GAP_CAUSES,
  type GapCause,
  type HostDenial,
  type HostGap,
  type HostRecord,
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
  parseDenialBatch,
} from './denial-batch.ts';
export {
  type EnrolmentAnswer,
  type EnrolmentRequest,
  enrolmentAnswerSchema,
  enrolmentRequestSchema,
  formatInvite,
  type Invite,
  MAX_ENROLMENT_BYTES,
  parseInvite,
  type RenewalRequest,
  renewalRequestSchema,
} from './enrolment.ts';
export {
  type ExpectedPolicy,
  type HostPolicyHead,
  MAX_HOST_POLICY_BYTES,
  openHostPolicy,
  type PolicyFloor,
  signHostPolicy,
} from './host-policy.ts';
export {
  HOST_STATES,
  type HostDenialCounts,
  type HostNack,
  type HostReport,
  type HostReportAnswer,
  type HostState,
  hostReportAnswerSchema,
  hostReportOf,
  hostReportSchema,
  MAX_REPORT_BYTES,
} from './host-report.ts';
export { enrolmentStatement, isProof, proofFor, renewalStatement } from './key-proof.ts';
