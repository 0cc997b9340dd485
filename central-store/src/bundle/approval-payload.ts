import type { Finding, PointRules, SourceDocument } from '@edgeward/policy';
import type { Approval, Digest, TrustRoot } from '@edgeward/policy-format';
import type { Bundle } from './bundle.ts';

/** The version that the next one builds on. */
export interface Predecessor {
  approval: Approval;
  /** Of the approval's payload. */
  digest: Digest;
  /**
   * Documents of the newest version that was approved in full: risks are measured against these, so that what one
   * person opened in an emergency is never taken for granted. Null where there is none.
   */
  approved: Bundle | null;
}

export interface PayloadInputs {
  bundle: Bundle;
  previous: Predecessor | null;
  root: TrustRoot;
  proposedBy: string;
  reason: string;
  nowMs: number;
  /** How long it may wait for signatures; 24 hours without it, 7 days at most. */
  expiresInMs?: number;
  breakGlass?: { endsAtMs: number };
  returnUntilMs?: number;
  /** The documents are those of an older version. */
  restored?: boolean;
  /** Workload documents, for lint and tests alone: no byte of the payload depends on them. */
  inventory?: readonly SourceDocument[];
}

/** The rules of one point, as a point gets them. */
export interface Slice {
  point: string;
  rules: PointRules;
  bytes: Uint8Array;
  digest: Digest;
}

export interface ComputedPayload {
  payload: Approval;
  /** By name of the point. */
  slices: Slice[];
  /** Warnings: with an error there is no payload. */
  findings: Finding[];
}

/** Pure: equal inputs give equal bytes on every machine. Throws EDW_ERR_PROPOSAL_POLICY with the findings, EDW_ERR_PROPOSAL_INPUT. */
export function computeApprovalPayload(_inputs: PayloadInputs): ComputedPayload {
  throw new Error('not yet');
}

/**
 * What an approver's machine and the store do before they believe a payload: compute it again from the same documents.
 * Throws EDW_ERR_PROPOSAL_DIFFERS naming the fields, and what `computeApprovalPayload` throws.
 */
export function recomputeApproval(
  _payload: Approval,
  _inputs: { bundle: Bundle; previous: Predecessor | null; root: TrustRoot; inventory?: readonly SourceDocument[] },
): ComputedPayload {
  throw new Error('not yet');
}

/** All slices of a bundle, with nothing of time or inventory in them. */
export function slicesOf(_bundle: Bundle): Slice[] {
  throw new Error('not yet');
}
