import type { TrustRoots } from '../folder/trust-roots.ts';
import { hasRole } from './people.ts';
import type { ProposalState, ProposalSummary, ProposalView } from './proposals.ts';
import type { StoredProposal } from './stored-proposal.ts';
import type { PublishedVersion } from './versions.ts';

/** What a proposal looks like from outside. Its state follows from what was published and from the time; none is stored. */
export interface Facts {
  nowMs: number;
  roots: TrustRoots;
  versions: readonly PublishedVersion[];
}

export function stateOf(proposal: StoredProposal, facts: Facts): ProposalState {
  if (becameOf(proposal, facts) !== null) return 'published';
  if (proposal.rejected !== null) return 'rejected';
  if (!isNewest(proposal, facts)) return 'outdated';
  if (Date.parse(proposal.expiresAt) <= facts.nowMs) return 'expired';
  const { needed, given } = approvalsOf(proposal, facts);
  return given.length >= needed ? 'approved' : 'open';
}

/** The version of policy, or of the trust root, that it became. */
function becameOf(proposal: StoredProposal, { roots, versions }: Facts): number | null {
  const { version } = proposal.payload;
  if (proposal.kind === 'policy') return versions[version - 1]?.digest === proposal.digest ? version : null;
  return roots.digestAt(version) === proposal.digest ? version : null;
}

function isNewest(proposal: StoredProposal, { roots, versions }: Facts): boolean {
  const root = roots.newest();
  if (proposal.kind === 'root') return proposal.payload.previous === roots.digestAt(root.version);
  const { payload } = proposal;
  return payload.root === root.version && payload.previous === (versions.at(-1)?.digest ?? null);
}

/**
 * Who counts now: nobody twice, nobody who is no approver any longer, and of policy never the proposer, but in an
 * emergency. For people to read; before anything is published the signatures themselves are looked at.
 */
function approvalsOf(proposal: StoredProposal, { roots }: Facts): ProposalSummary['approvals'] {
  const root = roots.newest();
  const given = proposal.given.filter(
    ({ person }) =>
      hasRole(root, person, 'approver') || (proposal.kind === 'root' && hasRole(proposal.payload, person, 'approver')),
  );
  if (proposal.kind === 'root')
    return { needed: Math.max(root.thresholds.root, proposal.payload.thresholds.root), given };
  return { needed: proposal.payload.approvals, given };
}

export function viewOf(proposal: StoredProposal, facts: Facts): ProposalView {
  const { payload, document, rejected } = proposal;
  return { ...summaryOf(proposal, facts), document, payload, rejected, version: becameOf(proposal, facts) };
}

export function summaryOf(proposal: StoredProposal, facts: Facts): ProposalSummary {
  const { id, kind, proposedBy, proposedAt, expiresAt, reason, digest } = proposal;
  const state = stateOf(proposal, facts);
  return {
    id,
    kind,
    state,
    proposedBy,
    proposedAt,
    expiresAt,
    reason,
    digest,
    approvals: approvalsOf(proposal, facts),
  };
}
