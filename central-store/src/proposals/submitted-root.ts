import {
  digestOfPayload,
  digestOfRoot,
  keysOf,
  LIMITS,
  payloadOf,
  type SignedDocument,
  signedDocumentOf,
  type TrustRoot,
  trustRootOf,
} from '@edgeward/policy-format';
import { requirePeopleNames } from '../folder/people-names.ts';
import type { Actor } from '../record/attempt.ts';
import { hasRole, requireRole } from './people.ts';
import { refusal, requireReason } from './refusals.ts';
import { signaturesBy } from './signatures.ts';
import { proposalId, type StoredProposal } from './stored-proposal.ts';

const EXPIRES_MS = 7 * 24 * 3_600_000;

/**
 * Whether a trust root may become a proposal: its form, its place in the chain, and its proposer's signature. Whether
 * enough approvers of both roots stand behind it is asked when it is published.
 */
export async function readSubmittedRoot(
  actor: Actor,
  submission: { root: SignedDocument; reason: string },
  current: TrustRoot,
  nowMs: number,
): Promise<StoredProposal> {
  requireRole(current, actor, ['author', 'approver'], 'proposing a trust root');
  requireReason(submission.reason, 'proposing a trust root');
  const signed = signedDocumentOf(submission.root);
  const payload = trustRootOf(payloadOf(signed, 'the proposed trust root', LIMITS.rootBytes));
  requireNext(current, payload);
  requirePeopleNames(payload.people, 'proposing a trust root');
  const document = await signaturesBy(signed, payload.typ, keysOf(current, actor.name));
  if (document.signatures.length === 0)
    throw refusal('EDW_ERR_PROPOSAL_SIGNATURE', `proposing a trust root: it is not signed by a key of ${actor.name}`);
  const digest = digestOfPayload(document);
  const at = new Date(nowMs).toISOString();
  const { reason } = submission;
  // An approver who proposes has signed it, and counts as one: thresholds of the root are of all who sign.
  const given = hasRole(current, actor.name, 'approver') ? [{ person: actor.name, at, reason }] : [];
  return {
    kind: 'root',
    id: proposalId(digest),
    payload,
    digest,
    document,
    proposedBy: actor.name,
    proposedAt: at,
    expiresAt: new Date(nowMs + EXPIRES_MS).toISOString(),
    reason,
    given,
    rejected: null,
  };
}

function requireNext(current: TrustRoot, next: TrustRoot): void {
  if (next.store !== current.store)
    throw refusal('EDW_ERR_PROPOSAL_DIFFERS', 'proposing a trust root: it is of another store');
  if (next.version === current.version + 1 && next.previous === digestOfRoot(current) && next.epoch >= current.epoch)
    return;
  throw refusal(
    'EDW_ERR_STORE_OUTDATED',
    `proposing version ${next.version} of the trust root: it does not follow version ${current.version}, which is in force`,
  );
}
