import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Approval,
  approvalOf,
  type Digest,
  digestOf,
  digestOfPayload,
  LIMITS,
  payloadOf,
  type SignedDocument,
  signedDocumentOf,
} from '@edgeward/policy-format';
import { EdgewardError, makeFolder, systemCodeOf, writeDurably } from '@edgeward/runtime';
import { type Bundle, parseBundle } from '../bundle/bundle.ts';
import { unreadable } from '../folder/unreadable-file.ts';

/**
 * Everything that was ever published, `versions/N/`. `bundle.ndjson` is written first and `approval.json` makes it a
 * version; neither is written again. Whether people signed it was asked before.
 */
export interface Versions {
  all(): PublishedVersion[];
  newest(): PublishedVersion | null;
  /** The newest that is no break-glass. */
  newestInFull(): PublishedVersion | null;
  /** Throws EDW_ERR_VERSION_UNKNOWN. */
  at(version: number): PublishedVersion;
  /** Canonical documents, as people approved them. */
  documents(version: number): Promise<Uint8Array>;
  bundle(version: number): Promise<Bundle>;
  publish(version: PublishedVersion, documents: Uint8Array): Promise<void>;
  /** Why a break-glass version needs no other one after it; null while nobody has said. */
  closed(version: number): FollowUpClosed | null;
  close(version: number, closed: FollowUpClosed): Promise<void>;
}

export interface PublishedVersion {
  version: number;
  digest: Digest;
  payload: Approval;
  approval: SignedDocument;
  publishedAt: string;
  publishedBy: string;
}

interface FollowUpClosed {
  by: string;
  at: string;
  reason: string;
}

export async function openVersions(dir: string): Promise<Versions> {
  const versions: PublishedVersion[] = [];
  const closed = new Map<number, FollowUpClosed>();
  await makeFolder(dir);
  const last = Math.max(0, ...(await readdir(dir)).map(Number).filter(Number.isInteger));
  for (let number = 1; ; number += 1) {
    const version = await readVersion(dir, number);
    if (version === null) {
      // The last one may have been cut off while it was published; one in the middle was taken away.
      if (number < last) throw unreadable(join(dir, String(number)), new Error('it is missing'));
      break;
    }
    if (version.payload.previous !== (versions.at(-1)?.digest ?? null))
      throw unreadable(join(dir, String(number)), new Error('it does not follow the version before'));
    versions.push(version);
    const found = await readJson(join(dir, String(number), 'follow-up.json'));
    if (found !== null) closed.set(number, found as FollowUpClosed);
  }
  const at = (number: number): PublishedVersion => {
    const version = versions[number - 1];
    if (version !== undefined) return version;
    throw new EdgewardError('EDW_ERR_VERSION_UNKNOWN', `looking for version ${number}: there are ${versions.length}`, {
      mend: 'Name a version from 1 on that was published; `edgeward store status` tells the newest.',
    });
  };
  return {
    all: () => [...versions],
    newest: () => versions.at(-1) ?? null,
    newestInFull: () => versions.findLast((it) => it.payload.breakGlass === null) ?? null,
    at,
    documents: async (number) =>
      (await readDocuments(dir, at(number), (bytes) => ({ bytes, digest: digestOf(bytes) }))).bytes,
    bundle: (number) => readDocuments(dir, at(number), parseBundle),
    async publish(version, documents) {
      const folder = join(dir, String(version.version));
      await makeFolder(folder);
      await writeDurably(join(folder, 'bundle.ndjson'), documents);
      const { approval, publishedAt, publishedBy } = version;
      await writeDurably(join(folder, 'approval.json'), `${JSON.stringify({ approval, publishedAt, publishedBy })}\n`);
      versions.push(version);
    },
    closed: (number) => closed.get(number) ?? null,
    async close(number, how) {
      await writeDurably(join(dir, String(at(number).version), 'follow-up.json'), `${JSON.stringify(how)}\n`);
      closed.set(number, how);
    },
  };
}

async function readVersion(dir: string, version: number): Promise<PublishedVersion | null> {
  const path = join(dir, String(version), 'approval.json');
  const found = await readJson(path);
  if (found === null) return null;
  try {
    const { approval, publishedAt, publishedBy } = found as PublishedVersion;
    const signed = signedDocumentOf(approval);
    const payload = approvalOf(payloadOf(signed, 'the approval', LIMITS.approvalBytes));
    if (payload.version !== version) throw new Error(`it is version ${payload.version}`);
    return { version, digest: digestOfPayload(signed), payload, approval: signed, publishedAt, publishedBy };
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
}

async function readDocuments<T extends { digest: Digest }>(
  dir: string,
  version: PublishedVersion,
  read: (bytes: Uint8Array) => T,
): Promise<T> {
  const path = join(dir, String(version.version), 'bundle.ndjson');
  try {
    const found = read(await readFile(path));
    if (found.digest !== version.payload.documents.digest) throw new Error('they are not what was approved');
    return found;
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw unreadable(path, thrown);
  }
}
