import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Approval,
  approvalOf,
  type Digest,
  digestOfPayload,
  LIMITS,
  payloadOf,
  type SignedDocument,
  signedDocumentOf,
  type TrustRoot,
  trustRootOf,
} from '@edgeward/policy-format';
import { makeFolder, systemCodeOf, writeDurably } from '@edgeward/runtime';
import { unreadable } from '../folder/unreadable-file.ts';
import type { GivenApproval } from './proposals.ts';
import { refusal } from './refusals.ts';

/**
 * A proposal on disk: `proposals/ID/documents.ndjson`, then `proposal.json`, which makes it one. The second stays for good,
 * the first while it is open: when it was published the documents are with the version, and otherwise nobody needs them.
 */
export type StoredProposal = StoredFields &
  ({ kind: 'policy'; payload: Approval } | { kind: 'root'; payload: TrustRoot });

interface StoredFields {
  id: string;
  digest: Digest;
  document: SignedDocument;
  proposedBy: string;
  proposedAt: string;
  expiresAt: string;
  reason: string;
  given: GivenApproval[];
  rejected: { by: string; at: string; reason: string } | null;
}

/** Named by what is signed: the same payload is the same proposal. */
export function proposalId(digest: Digest): string {
  return digest.slice(0, 16);
}

/** Whatever else lies there is nobody's proposal, and stays as it is. Sorted. */
export async function proposalIdsIn(dir: string): Promise<string[]> {
  await makeFolder(dir);
  return (await readdir(dir)).filter((name) => /^[0-9a-f]{16}$/.test(name)).sort();
}

export async function saveDocuments(dir: string, id: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(join(dir, id));
  await writeDurably(join(dir, id, 'documents.ndjson'), bytes);
}

export async function saveProposal(dir: string, proposal: StoredProposal): Promise<void> {
  const { payload: _, ...rest } = proposal;
  await makeFolder(join(dir, proposal.id));
  await writeDurably(join(dir, proposal.id, 'proposal.json'), `${JSON.stringify(rest)}\n`);
}

/** Of one that is open. Throws EDW_ERR_PROPOSAL_CLOSED. */
export async function readDocuments(dir: string, id: string): Promise<Uint8Array> {
  try {
    return await readFile(join(dir, id, 'documents.ndjson'));
  } catch (thrown) {
    // A clock that was set back opens what was closed already.
    if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
    throw refusal('EDW_ERR_PROPOSAL_CLOSED', `reading the documents of the proposal ${id}: they are not kept any more`);
  }
}

export async function hasDocuments(dir: string, id: string): Promise<boolean> {
  const found = await stat(join(dir, id, 'documents.ndjson')).catch(() => null);
  return found !== null;
}

export async function removeDocuments(dir: string, id: string): Promise<void> {
  await rm(join(dir, id, 'documents.ndjson'), { force: true });
}

/** All of them. A folder without `proposal.json` was cut off while it was made, and nobody was told that it exists. */
export async function readProposals(dir: string): Promise<StoredProposal[]> {
  const out: StoredProposal[] = [];
  for (const id of await proposalIdsIn(dir)) {
    const path = join(dir, id, 'proposal.json');
    const found = await stat(path).catch(() => null);
    if (found !== null) out.push(await readProposal(path, id));
  }
  return out;
}

/** What it says of signatures is looked at again before anything is published: here only its form is believed. */
async function readProposal(path: string, id: string): Promise<StoredProposal> {
  try {
    const { kind, document, ...rest } = JSON.parse(await readFile(path, 'utf8')) as StoredFields & { kind: unknown };
    const signed = signedDocumentOf(document);
    const digest = digestOfPayload(signed);
    if (proposalId(digest) !== id) throw new Error('it stands under another name');
    const fields = { ...rest, id, digest, document: signed };
    if (kind === 'root')
      return { ...fields, kind, payload: trustRootOf(payloadOf(signed, 'the trust root', LIMITS.rootBytes)) };
    const payload = approvalOf(payloadOf(signed, 'the approval', LIMITS.approvalBytes));
    return { ...fields, kind: 'policy', payload };
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
}
