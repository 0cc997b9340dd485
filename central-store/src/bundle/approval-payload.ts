import {
  type Finding,
  linkModel,
  type Model,
  type PointRules,
  type SourceDocument,
  slicePolicy,
} from '@edgeward/policy';
import {
  type Approval,
  approvalOf,
  canonicalJson,
  type Digest,
  digestOf,
  type Risk,
  rulesBytes,
  rulesOf,
  sliceTree,
  type TrustRoot,
} from '@edgeward/policy-format';
import { EdgewardError, sha256Hex } from '@edgeward/runtime';
import { type Bundle, sourceDocumentsOf } from './bundle.ts';
import { judgePolicy } from './judged-policy.ts';
import { namesOf, type RiskFinding, risksOf } from './risks.ts';

/**
 * From documents to what people sign. The author's machine, each approver's and the store compute it, each by itself:
 * equal documents give equal bytes. Whoever signs has seen what came out here, and believes no other machine.
 */

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
  /** What the names in `payload.risks` stand for, with places. */
  risks: RiskFinding[];
  /** Warnings: with an error there is no payload. */
  findings: Finding[];
}

const HOUR_MS = 3_600_000;
const EXPIRES_MS = 24 * HOUR_MS;
const MAX_EXPIRES_MS = 7 * 24 * HOUR_MS;
const MAX_RETURN_MS = 30 * 24 * HOUR_MS;

/** Pure. Throws EDW_ERR_PROPOSAL_POLICY with the findings, EDW_ERR_PROPOSAL_INPUT, EDW_ERR_FORMAT_APPROVAL. */
export function computeApprovalPayload(inputs: PayloadInputs): ComputedPayload {
  refuseInputs(inputs);
  const { bundle, previous, root, nowMs } = inputs;
  const { model, findings } = judgePolicy(bundle, {
    nowMs,
    inventory: inputs.inventory,
    inForce: previous?.approved,
    isEmergency: inputs.breakGlass !== undefined || inputs.restored === true,
  });
  const slices = slicesOfModel(model);
  // What a point would refuse is refused before anybody signs it.
  for (const { bytes, point } of slices) rulesOf(bytes, point);
  const risks = allRisks(inputs);
  const names = namesOf(risks);
  const payload: Approval = {
    typ: 'edgeward-approval/1',
    store: root.store,
    root: root.version,
    version: previous === null ? 1 : previous.approval.version + 1,
    previous: previous === null ? null : previous.digest,
    documents: { digest: bundle.digest, bytes: bundle.bytes.length, count: bundle.documents.length },
    slices: { root: rootOf(slices), count: slices.length },
    proposedBy: inputs.proposedBy,
    proposedAt: instant(nowMs),
    expiresAt: instant(nowMs + (inputs.expiresInMs ?? EXPIRES_MS)),
    reason: inputs.reason,
    risks: names,
    approvals: inputs.breakGlass === undefined ? approvalsFor(names, root) : 1,
    breakGlass: inputs.breakGlass === undefined ? null : { endsAt: instant(inputs.breakGlass.endsAtMs) },
    returnUntil: inputs.returnUntilMs === undefined ? null : instant(inputs.returnUntilMs),
  };
  return { payload: approvalOf(payload), slices, risks, findings };
}

/** Never fewer with a risk than without, whatever a trust root says. */
function approvalsFor(risks: readonly Risk[], root: TrustRoot): number {
  const { normal, elevated } = root.thresholds;
  return risks.length === 0 ? normal : Math.max(normal, elevated);
}

/**
 * What an approver's machine and the store do before they believe a payload: compute it again from the same documents.
 * Throws EDW_ERR_PROPOSAL_DIFFERS naming the fields, and what `computeApprovalPayload` throws.
 */
export function recomputeApproval(
  payload: Approval,
  inputs: { bundle: Bundle; previous: Predecessor | null; root: TrustRoot; inventory?: readonly SourceDocument[] },
): ComputedPayload {
  const nowMs = Date.parse(payload.proposedAt);
  const { breakGlass, returnUntil } = payload;
  const computed = computeApprovalPayload({
    ...inputs,
    nowMs,
    proposedBy: payload.proposedBy,
    reason: payload.reason,
    expiresInMs: Date.parse(payload.expiresAt) - nowMs,
    restored: payload.risks.includes('restored'),
    ...(breakGlass === null ? {} : { breakGlass: { endsAtMs: Date.parse(breakGlass.endsAt) } }),
    ...(returnUntil === null ? {} : { returnUntilMs: Date.parse(returnUntil) }),
  });
  const fields = differing(payload, computed.payload);
  if (fields.length === 0) return computed;
  throw new EdgewardError(
    'EDW_ERR_PROPOSAL_DIFFERS',
    `computing version ${payload.version} again: ${fields.join(', ')} came out differently`,
    {
      mend: 'Do not sign it. Look whether it was made for an older version or trust root, or by another release of Edgeward; else it was tampered with.',
    },
  );
}

function differing(a: Approval, b: Approval): string[] {
  const keys = Object.keys(b) as (keyof Approval)[];
  return keys.filter((key) => canonicalJson(a[key]) !== canonicalJson(b[key]));
}

/** All slices of a bundle, with nothing of time or inventory in them. The bundle was judged before. */
export function slicesOf(bundle: Bundle): Slice[] {
  return slicesOfModel(linkModel(sourceDocumentsOf(bundle), []));
}

function slicesOfModel(model: Model): Slice[] {
  return slicePolicy(model, sha256Hex).map((rules) => {
    const bytes = rulesBytes(rules);
    return { point: rules.point, rules, bytes, digest: digestOf(bytes) };
  });
}

function rootOf(slices: readonly Slice[]): Digest {
  return sliceTree(slices.map(({ point, digest }) => ({ point, rulesDigest: digest }))).root;
}

function allRisks({ bundle, previous, restored }: PayloadInputs): RiskFinding[] {
  const found = risksOf(previous?.approved ?? null, bundle);
  if (restored !== true) return found;
  return [...found, { risk: 'restored', where: 'documents', message: 'they are those of an older version' }];
}

function refuseInputs(inputs: PayloadInputs): void {
  const { previous, root, nowMs, expiresInMs = EXPIRES_MS, breakGlass, returnUntilMs, restored } = inputs;
  if (expiresInMs > MAX_EXPIRES_MS) throw refused('a proposal waits for signatures for 7 days at most');
  if (restored === true && previous === null) throw refused('there is no version to restore');
  if (breakGlass !== undefined) refuseGlass(breakGlass.endsAtMs, previous, root, nowMs);
  if (returnUntilMs === undefined) return;
  if (returnUntilMs <= nowMs || returnUntilMs > nowMs + MAX_RETURN_MS)
    throw refused('points may be returned to the version before within 30 days');
  if (previous === null || previous.approval.breakGlass !== null || breakGlass !== undefined)
    throw refused('there is no version to return to, or a break-glass one is concerned');
}

function refuseGlass(endsAtMs: number, previous: Predecessor | null, root: TrustRoot, nowMs: number): void {
  const hours = root.thresholds.breakGlassHours;
  if (hours === 0) throw refused('break-glass is switched off in the trust root');
  if (previous === null || previous.approval.breakGlass !== null)
    throw refused('break-glass goes back to the version before it, which has to be one that was approved in full');
  if (endsAtMs > nowMs + hours * HOUR_MS) throw refused(`break-glass ends within ${hours} hours`);
  if (endsAtMs <= nowMs) throw refused('break-glass ends before it begins');
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function refused(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_PROPOSAL_INPUT', `computing a proposal: ${why}`, {
    mend: 'Change what the proposal asks for. docs/store.md says what each kind of proposal may do.',
  });
}
