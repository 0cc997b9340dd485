import {
  type Approval,
  approvalOf,
  type Digest,
  digestOf,
  digestOfPayload,
  keysOf,
  LIMITS,
  payloadOf,
  type SignedDocument,
  signedDocumentOf,
  type TrustRoot,
} from '@edgeward/policy-format';
import type { Actor } from '../record/attempt.ts';
import type { Basis } from './basis.ts';
import { hasRole, requireRole } from './people.ts';
import { refusal } from './refusals.ts';
import type { Coming } from './room.ts';
import { signaturesBy } from './signatures.ts';
import { proposalId, type StoredProposal } from './stored-proposal.ts';
import type { PublishedVersion } from './versions.ts';

/**
 * Whether what an author hands in may become a proposal: all of it that is quickly seen. The store computes it again as well,
 * and believes no field of it.
 */
export type SubmittedPolicy = StoredProposal & { kind: 'policy' };

export interface Standing {
  root: TrustRoot;
  previous: Basis | null;
  versions: readonly PublishedVersion[];
  nowMs: number;
  requireRoom(coming: Coming): void;
}

/** Clocks of two machines may differ by this much. */
const SKEW_MS = 5 * 60_000;

/** With the proposer's own signature alone. */
export async function readSubmittedPolicy(
  actor: Actor,
  submission: { approval: SignedDocument; bundle: Uint8Array },
  standing: Standing,
): Promise<SubmittedPolicy> {
  const { root, nowMs } = standing;
  const signed = signedDocumentOf(submission.approval);
  const payload = approvalOf(payloadOf(signed, 'the proposed approval', LIMITS.approvalBytes));
  requireRole(root, actor, payload.breakGlass === null ? ['author'] : ['author', 'approver'], 'proposing policy');
  requireProposer(actor, payload);
  // Before anything that takes long. That it is break-glass of so many bytes is computed again below.
  standing.requireRoom({ proposer: actor.name, digest: digestOfPayload(signed), approval: payload });
  requireBasis(payload, standing);
  requireTimes(payload, nowMs);
  const document = await signaturesBy(signed, payload.typ, keysOf(root, actor.name));
  if (document.signatures.length === 0)
    throw refusal('EDW_ERR_PROPOSAL_SIGNATURE', `proposing policy: it is not signed by a key of ${actor.name}`);
  requireRestored(payload, digestOf(submission.bundle), standing);
  return proposalOf(payload, document, root);
}

function proposalOf(payload: Approval, document: SignedDocument, root: TrustRoot): SubmittedPolicy {
  const digest = digestOfPayload(document);
  const { proposedBy, proposedAt, expiresAt, reason } = payload;
  // In an emergency the one approver may be the one who proposes.
  const isAlone = payload.breakGlass !== null && hasRole(root, proposedBy, 'approver');
  const given = isAlone ? [{ person: proposedBy, at: proposedAt, reason }] : [];
  const fields = { id: proposalId(digest), payload, digest, document, given, rejected: null };
  return { kind: 'policy', ...fields, proposedBy, proposedAt, expiresAt, reason };
}

function requireProposer(actor: Actor, payload: Approval): void {
  if (payload.proposedBy === actor.name) return;
  throw refusal(
    'EDW_ERR_PROPOSAL_PROPOSER',
    `proposing policy: ${actor.name} hands in what names ${payload.proposedBy}`,
  );
}

/** Built on the newest root and version, of this store. */
export function requireBasis(payload: Approval, { root, previous }: Pick<Standing, 'root' | 'previous'>): void {
  if (payload.store !== root.store)
    throw refusal('EDW_ERR_PROPOSAL_DIFFERS', 'looking at proposed policy: it was made for another store');
  const isNewest = payload.root === root.version && payload.previous === (previous?.digest ?? null);
  if (isNewest) return;
  throw refusal(
    'EDW_ERR_STORE_OUTDATED',
    `looking at proposed version ${payload.version}: it builds on version ${payload.version - 1} and trust root ${payload.root}; ` +
      `in force are version ${previous?.approval.version ?? 0} and trust root ${root.version}`,
  );
}

function requireTimes(payload: Approval, nowMs: number): void {
  const proposedMs = Date.parse(payload.proposedAt);
  if (proposedMs > nowMs + SKEW_MS || Date.parse(payload.expiresAt) <= nowMs)
    throw refusal('EDW_ERR_PROPOSAL_TIME', `proposing policy: it was made at ${payload.proposedAt} by its own clock`);
  if (payload.breakGlass !== null && Date.parse(payload.breakGlass.endsAt) <= nowMs)
    throw refusal('EDW_ERR_PROPOSAL_TIME', 'proposing policy: its break-glass has ended');
}

/**
 * Old documents bring back what was closed since, in a way that no single rule shows. Those that were approved in full
 * before a break-glass are what is in force again anyway.
 */
function requireRestored(payload: Approval, documents: Digest, { previous, versions }: Standing): void {
  if (payload.risks.includes('restored') || documents === previous?.approved.digest) return;
  const inFull = versions.slice(0, -1).filter((it) => it.payload.breakGlass === null);
  const old = inFull.find((it) => it.payload.documents.digest === documents);
  if (old === undefined) return;
  throw refusal(
    'EDW_ERR_PROPOSAL_DIFFERS',
    `proposing policy: it restores version ${old.version}, and does not say so`,
  );
}
