import { keysOf, type SignedDocument, signedDocumentOf, type TrustRoot } from '@edgeward/policy-format';
import type { Actor } from '../record/attempt.ts';
import { hasRole, requireRole } from './people.ts';
import { refusal } from './refusals.ts';
import { signaturesBy, withSignatures } from './signatures.ts';
import type { StoredProposal } from './stored-proposal.ts';

/** Whether a signature that an approver hands in is one, and the proposal with it. */
export async function withApproval(
  actor: Actor,
  proposal: StoredProposal,
  submission: { document: SignedDocument; reason: string },
  root: TrustRoot,
  nowMs: number,
): Promise<StoredProposal> {
  const what = `approving the proposal ${proposal.id}`;
  requireApprover(actor, proposal, root, what);
  const signed = signedDocumentOf(submission.document);
  if (signed.payload !== proposal.document.payload)
    throw refusal('EDW_ERR_PROPOSAL_DIFFERS', `${what}: what was signed is something else`);
  const added = await signaturesBy(signed, proposal.payload.typ, keysFor(actor, proposal, root));
  if (added.signatures.length === 0)
    throw refusal('EDW_ERR_PROPOSAL_SIGNATURE', `${what}: it is not signed by a key of ${actor.name}`);
  const others = proposal.given.filter((it) => it.person !== actor.name);
  const given = { person: actor.name, at: new Date(nowMs).toISOString(), reason: submission.reason };
  return { ...proposal, document: withSignatures(proposal.document, added), given: [...others, given] };
}

function requireApprover(actor: Actor, proposal: StoredProposal, root: TrustRoot, what: string): void {
  // Whoever is to be an approver from the next root on signs that root as well: so the new ones show that they can.
  const isComing = proposal.kind === 'root' && hasRole(proposal.payload, actor.name, 'approver');
  if (!isComing) requireRole(root, actor, ['approver'], what);
  if (proposal.proposedBy === actor.name) throw refusal('EDW_ERR_PROPOSAL_OWN', `${what}: ${actor.name} proposed it`);
}

function keysFor(actor: Actor, proposal: StoredProposal, root: TrustRoot): ReturnType<typeof keysOf> {
  const coming = proposal.kind === 'root' ? keysOf(proposal.payload, actor.name) : [];
  const known = keysOf(root, actor.name);
  return [...known, ...coming.filter((key) => known.every(({ kid }) => kid !== key.kid))];
}
