/**
 * How much may be open at one time. Nobody keeps others from proposing, but by being as many; and nothing but break-glass of
 * one's own keeps anybody from breaking glass.
 */
import type { Approval, Digest } from '@edgeward/policy-format';
import { refusal } from './refusals.ts';
import type { StoredProposal } from './stored-proposal.ts';

export interface OpenLimits {
  /** Of everybody. */
  all: number;
  /** Of one proposer. */
  each: number;
  /** Of their documents, of one proposer. */
  bytesEach: number;
}

/** Four of the largest bundles, or twenty of 13 MB. */
export const OPEN_LIMITS: OpenLimits = { all: 200, each: 20, bytesEach: 256 * 1024 * 1024 };

export interface Coming {
  proposer: string;
  /** Of the payload. */
  digest: Digest;
  /** Null: a trust root, which has no documents. */
  approval: Approval | null;
}

/** Throws EDW_ERR_PROPOSAL_LIMIT. */
export function requireRoom(open: readonly StoredProposal[], coming: Coming, limits: OpenLimits): void {
  const { proposer, approval } = coming;
  const isGlass = approval !== null && approval.breakGlass !== null;
  // Sent twice because an answer was lost, it takes no more room.
  const others = open.filter((it) => it.digest !== coming.digest);
  // In an emergency nobody first has to tidy up: break-glass has room of its own.
  const own = others.filter((it) => it.proposedBy === proposer && (!isGlass || isBreakGlass(it)));
  const what = isGlass ? `${own.length} with break-glass` : `${own.length}`;
  if (own.length >= limits.each || (others.length >= limits.all && !isGlass))
    throw refusal('EDW_ERR_PROPOSAL_LIMIT', `proposing: ${others.length} proposals are open, ${what} of ${proposer}`);
  const held = own.reduce((sum, it) => sum + (it.kind === 'policy' ? it.payload.documents.bytes : 0), 0);
  const bytes = approval?.documents.bytes ?? 0;
  if (held + bytes <= limits.bytesEach) return;
  const kept = `documents of ${held} bytes are open of ${proposer}`;
  throw refusal('EDW_ERR_PROPOSAL_LIMIT', `proposing: ${kept}, and ${bytes} more are above ${limits.bytesEach}`);
}

function isBreakGlass(proposal: StoredProposal): boolean {
  return proposal.kind === 'policy' && proposal.payload.breakGlass !== null;
}
