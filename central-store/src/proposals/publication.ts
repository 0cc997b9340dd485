import { type Approval, digestOf, verifyApproval, verifyNextRoot } from '@edgeward/policy-format';
import { requirePeopleNames } from '../folder/people-names.ts';
import type { Actor } from '../record/attempt.ts';
import type { ProposalContext } from './context.ts';
import { requireRole } from './people.ts';
import type { Published } from './proposals.ts';
import { refusal } from './refusals.ts';
import { readDocuments, type StoredProposal } from './stored-proposal.ts';
import { requireBasis } from './submitted-policy.ts';

/**
 * Whether a proposal may come into force. What lies on the disk of the store counts for nothing here: the signatures are
 * looked at once more, by the rules that every point has, and so are the documents that they are for.
 */
export type Publication = { digest: string; published: Published; save(): Promise<void> };

export async function readPublication(
  context: ProposalContext,
  actor: Actor,
  id: string,
  onTopOf?: number,
): Promise<Publication> {
  const proposal = context.find(id);
  const isGlass = proposal.kind === 'policy' && proposal.payload.breakGlass !== null;
  // At night the approver who opens the glass may be the only one awake.
  requireRole(context.roots.newest(), actor, isGlass ? ['publisher', 'approver'] : ['publisher'], 'publishing');
  context.findOpen(id);
  // Whoever names a version takes it for break-glass: something else is about to go out than they believe.
  if (onTopOf !== undefined && !isGlass)
    throw refusal('EDW_ERR_PROPOSAL_INPUT', `publishing ${id} on top of version ${onTopOf}: it is no break-glass`);
  if (proposal.kind === 'root') return await rootPublication(context, proposal);
  context.requireGround(proposal.payload, onTopOf);
  return await policyPublication(context, actor, proposal);
}

async function rootPublication(
  { roots }: ProposalContext,
  { document, digest }: StoredProposal & { kind: 'root' },
): Promise<Publication> {
  const root = await verifyNextRoot(roots.newest(), document);
  requirePeopleNames(root.people, 'publishing a trust root');
  const save = async (): Promise<void> => void (await roots.append(document));
  return { digest, published: { kind: 'root', root }, save };
}

async function policyPublication(
  context: ProposalContext,
  actor: Actor,
  { id, payload, digest, document }: StoredProposal & { kind: 'policy' },
): Promise<Publication> {
  const root = context.roots.newest();
  const nowMs = context.nowMs();
  requireBasis(payload, { root, previous: context.basis() });
  requireGlassOpen(payload, nowMs);
  await verifyApproval({ document, root, accepted: () => false, nowMs });
  const documents = await documentsOf(context, id, payload);
  const publishedAt = new Date(nowMs).toISOString();
  const version = {
    version: payload.version,
    digest,
    payload,
    approval: document,
    publishedAt,
    publishedBy: actor.name,
  };
  return { digest, published: { kind: 'policy', version }, save: () => context.versions.publish(version, documents) };
}

/** That they make sense was found before the proposal became one, and by everybody who signed them. */
async function documentsOf({ dir }: ProposalContext, id: string, payload: Approval): Promise<Uint8Array> {
  const documents = await readDocuments(dir, id);
  if (digestOf(documents) === payload.documents.digest) return documents;
  throw refusal('EDW_ERR_PROPOSAL_DIFFERS', `publishing version ${payload.version}: its documents were changed`);
}

function requireGlassOpen(payload: Approval, nowMs: number): void {
  if (payload.breakGlass === null || Date.parse(payload.breakGlass.endsAt) > nowMs) return;
  throw refusal('EDW_ERR_PROPOSAL_TIME', `publishing version ${payload.version}: its break-glass has ended`);
}
