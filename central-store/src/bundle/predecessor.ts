import { type SignedDocument, type TrustRoot, type VerifiedApproval, verifyApproval } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Predecessor } from './approval-payload.ts';
import { parseBundle } from './bundle.ts';

/**
 * What an author's or approver's machine builds on, from what a store shows it. Risks are measured against documents that
 * were approved in full: a store that could show others would talk people out of seeing a risk.
 */
export interface PublishedChain {
  /** Newest first, back to the newest that is no break-glass; empty where nothing was published yet. */
  approvals: readonly SignedDocument[];
  /** Canonical documents of the last of them. */
  bundle: Uint8Array;
  /** Trust roots of a chain that was verified from the pinned one; each version was approved under one of them. */
  rootAt: (version: number) => TrustRoot | null;
  nowMs: number;
}

/** Throws EDW_ERR_PROPOSAL_DIFFERS, EDW_ERR_APPROVAL_…, EDW_ERR_FORMAT_…, EDW_ERR_BUNDLE. */
export async function verifyPredecessor(chain: PublishedChain): Promise<Predecessor | null> {
  const versions: VerifiedApproval[] = [];
  for (const document of chain.approvals) versions.push(await verified(document, chain));
  const [newest] = versions;
  const full = versions.at(-1);
  if (newest === undefined || full === undefined) return null;
  versions.forEach(({ approval }, i) => {
    const before = versions[i + 1];
    if (before !== undefined && approval.previous !== before.digest)
      throw differs(`version ${approval.version} does not follow the one that is shown before it`);
    if ((before === undefined) !== (approval.breakGlass === null))
      throw differs('the versions do not lead back to the newest one that was approved in full');
  });
  const approved = parseBundle(chain.bundle);
  if (approved.digest !== full.approval.documents.digest)
    throw differs(`the documents are not those of version ${full.approval.version}`);
  return { approval: newest.approval, digest: newest.digest, approved };
}

/** Under the trust root of its time: who approved it then may have left since. */
async function verified(document: SignedDocument, { rootAt, nowMs }: PublishedChain): Promise<VerifiedApproval> {
  const version = rootVersionIn(document);
  const root = version === null ? null : rootAt(version);
  if (root === null) throw differs('a version was approved under a trust root that is not known here');
  return await verifyApproval({ document, root, accepted: () => false, nowMs });
}

/** Not believed: `verifyApproval` reads the payload strictly, and refuses one that was made under a newer root. */
function rootVersionIn(document: SignedDocument): number | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(document.payload, 'base64url').toString());
    return typeof value === 'object' && value !== null && 'root' in value ? Number(value.root) : null;
  } catch {
    return null;
  }
}

function differs(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_PROPOSAL_DIFFERS', `looking at what the store says is in force: ${why}`, {
    mend: 'Do not sign anything. Fetch it again; if it stays so, the store shows what people did not sign.',
  });
}
