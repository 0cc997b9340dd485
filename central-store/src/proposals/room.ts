/**
 * How much may be open at one time. Nobody keeps others from proposing, but by being as many; and whoever floods the store
 * keeps nobody from breaking glass.
 */
import type { Approval } from '@edgeward/policy-format';
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

/** Null: a trust root, which has no documents. Throws EDW_ERR_PROPOSAL_LIMIT. */
export function requireRoom(
  open: readonly StoredProposal[],
  proposer: string,
  coming: Approval | null,
  limits: OpenLimits,
): void {
  const own = open.filter((it) => it.proposedBy === proposer);
  const isGlass = coming !== null && coming.breakGlass !== null;
  if (own.length >= limits.each || (open.length >= limits.all && !isGlass))
    throw refusal(
      'EDW_ERR_PROPOSAL_LIMIT',
      `proposing: ${open.length} proposals are open, ${own.length} of ${proposer}`,
    );
  const held = own.reduce((sum, it) => sum + (it.kind === 'policy' ? it.payload.documents.bytes : 0), 0);
  const bytes = coming?.documents.bytes ?? 0;
  if (held + bytes <= limits.bytesEach) return;
  const what = `documents of ${held} bytes are open of ${proposer}`;
  throw refusal('EDW_ERR_PROPOSAL_LIMIT', `proposing: ${what}, and ${bytes} more are above ${limits.bytesEach}`);
}
