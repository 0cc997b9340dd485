import { type Approval, approvalOf } from './approval.ts';
import type { Digest } from './digest.ts';
import type { GoodSignatures } from './good-signatures.ts';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';
import { digestOfPayload, payloadOf, signedDocumentOf } from './signing.ts';
import { namesWithRole, peopleWhoSigned } from './signing-people.ts';
import type { Person, Role, TrustRoot } from './trust-root.ts';

/**
 * Whether enough people stand behind an approval. This is what the last hop rests on: no key of the store counts here.
 * Two keys of one person are one person, and the proposer is no approver, under no key. Nothing here knows what is in
 * force, which version may follow which, or what a slice holds.
 */
export interface VerifiedApproval {
  approval: Approval;
  /** Of its payload. */
  digest: Digest;
  /**
   * For whose signatures it was believed, sorted; empty if it was accepted before. Never the proposer, except of a
   * break-glass approval.
   */
  approvers: string[];
  acceptedBefore: boolean;
}

export interface ApprovalCheck {
  document: unknown;
  /** The newest one that is known. */
  root: TrustRoot;
  /**
   * Whether this verifier has accepted this payload before. Then its signatures are not looked at again: an approver who
   * has left since does not make yesterday's policy vanish.
   */
  accepted: (digest: Digest) => boolean;
  nowMs: number;
  signatures?: GoodSignatures;
}

/**
 * Throws EDW_ERR_FORMAT_… and EDW_ERR_APPROVAL_… . `expiresAt` is for who publishes: a verifier that was away for a month
 * still takes what was published in time. A break-glass approval that has ended is good too: it says what to go back to.
 */
export async function verifyApproval(check: ApprovalCheck): Promise<VerifiedApproval> {
  const document = signedDocumentOf(check.document);
  const approval = approvalOf(payloadOf(document, 'the approval', LIMITS.approvalBytes));
  requireSameTrust(approval, check.root);
  const digest = digestOfPayload(document);
  if (check.accepted(digest)) return { approval, digest, approvers: [], acceptedBefore: true };
  const signed = await peopleWhoSigned(document, approval.typ, check.root, check.signatures);
  const approvers =
    approval.breakGlass === null
      ? approversOf(approval, check.root, signed)
      : glassBreakersOf(approval, approval.breakGlass.endsAt, check, signed);
  return { approval, digest, approvers, acceptedBefore: false };
}

function requireSameTrust(approval: Approval, root: TrustRoot): void {
  if (approval.store !== root.store)
    throw refused('EDW_ERR_APPROVAL_STORE', `version ${approval.version} was approved for another store`);
  if (approval.root > root.version)
    throw refused(
      'EDW_ERR_APPROVAL_ROOT',
      `version ${approval.version} was approved under version ${approval.root} of the trust root; ` +
        `${root.version} is the newest that is known here`,
    );
}

function approversOf(approval: Approval, root: TrustRoot, signed: readonly Person[]): string[] {
  const { version, proposedBy, risks, approvals } = approval;
  requireProposer(approval, root, signed, ['author']);
  const asked = risks.length > 0 ? root.thresholds.elevated : root.thresholds.normal;
  if (approvals < asked)
    throw refused(
      'EDW_ERR_APPROVAL_THRESHOLD',
      `version ${version} asks for ${approvals} approvers, and the trust root for ${asked}`,
    );
  const approvers = namesWithRole(signed, 'approver');
  approvers.delete(proposedBy);
  if (approvers.size < approvals)
    throw refused(
      'EDW_ERR_APPROVAL_TOO_FEW',
      `version ${version} asks for ${approvals} approvers beside ${proposedBy}, and ${approvers.size} signed`,
    );
  return [...approvers].sort();
}

/**
 * One approver alone, who may be the proposer. The proposer's signature is needed here as well, as author or approver:
 * nobody breaks a glass in another's name.
 */
function glassBreakersOf(
  approval: Approval,
  endsAt: string,
  check: ApprovalCheck,
  signed: readonly Person[],
): string[] {
  const { version } = approval;
  const hours = check.root.thresholds.breakGlassHours;
  if (hours === 0)
    throw refused('EDW_ERR_APPROVAL_GLASS_OFF', `version ${version} is break-glass, which the trust root switches off`);
  if (Date.parse(endsAt) > check.nowMs + hours * MS_PER_HOUR)
    throw refused(
      'EDW_ERR_APPROVAL_GLASS_LONG',
      `version ${version} is break-glass until ${endsAt}, longer than the ${hours} hours of the trust root`,
    );
  requireProposer(approval, check.root, signed, ['author', 'approver']);
  const approvers = namesWithRole(signed, 'approver');
  if (approvers.size === 0)
    throw refused('EDW_ERR_APPROVAL_GLASS_UNSIGNED', `version ${version} is break-glass, and no approver signed it`);
  return [...approvers].sort();
}

function requireProposer(approval: Approval, root: TrustRoot, signed: readonly Person[], roles: readonly Role[]): void {
  const { version, proposedBy } = approval;
  const person = root.people.find(({ name }) => name === proposedBy);
  if (person === undefined || !roles.some((role) => person.roles.includes(role)))
    throw refused(
      'EDW_ERR_APPROVAL_PROPOSER',
      `version ${version} was proposed by ${proposedBy}, who is no ${roles.join(' or ')} in the trust root`,
    );
  if (!signed.includes(person))
    throw refused('EDW_ERR_APPROVAL_UNSIGNED', `version ${version} does not carry the signature of ${proposedBy}`);
}

const MS_PER_HOUR = 3_600_000;
