import {
  type Digest,
  type SignedDocument,
  type TrustRoot,
  type VerifiedApproval,
  verifyApproval,
} from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';
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
  /** Trust roots of a chain that was verified from the pinned one up to the newest; each version was approved under one. */
  rootAt: (version: number) => TrustRoot | null;
  /** Whether this machine, or the person at it, knows this payload from before; without it nothing is known. */
  seen?: (digest: Digest) => boolean;
  nowMs: number;
}

/** Throws EDW_ERR_PROPOSAL_DIFFERS, EDW_ERR_APPROVAL_UNCONFIRMED and others of EDW_ERR_APPROVAL_…, EDW_ERR_FORMAT_…, EDW_ERR_BUNDLE. */
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

/**
 * Under the trust root of its time, and under the newest one too: keys that were taken from people since could have signed
 * it yesterday. What the people of today do not stand behind is believed where it was seen before.
 */
async function verified(document: SignedDocument, { rootAt, seen, nowMs }: PublishedChain): Promise<VerifiedApproval> {
  const version = rootVersionIn(document);
  const root = version === null ? null : rootAt(version);
  if (root === null) throw differs('a version was approved under a trust root that is not known here');
  const it = await verifyApproval({ document, root, accepted: () => false, nowMs });
  const newest = newestAfter(root, rootAt);
  if (newest === root || seen?.(it.digest) === true) return it;
  try {
    await verifyApproval({ document, root: newest, accepted: () => false, nowMs });
  } catch (cause) {
    throw unconfirmed(it, newest, cause);
  }
  return it;
}

function newestAfter(root: TrustRoot, rootAt: PublishedChain['rootAt']): TrustRoot {
  let newest = root;
  for (let next = rootAt(root.version + 1); next?.version === newest.version + 1; next = rootAt(next.version + 1))
    newest = next;
  return newest;
}

function unconfirmed({ approval, digest }: VerifiedApproval, newest: TrustRoot, cause: unknown): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_APPROVAL_UNCONFIRMED',
    `looking at what the store says is in force: version ${approval.version}, ${digest}, was approved under trust root ` +
      `${approval.root}, and not by the people of trust root ${newest.version}: ${messageOf(cause)}`,
    {
      cause,
      mend: 'Compare the 64 digits, by a way that is not the store, with somebody whose machine has seen this version; sign nothing before they are the same.',
    },
  );
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
