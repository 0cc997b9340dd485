/**
 * Trust roots of a store as this machine knows them: from the pinned one forward by the signatures of people, and backward
 * by digest. The store carries them, and can leave out the newest; nothing else.
 */
import { readFile } from 'node:fs/promises';
import {
  type Digest,
  digestOfPayload,
  type SignedDocument,
  signedDocumentOf,
  type TrustRoot,
  verifyFirstRoot,
  verifyNextRoot,
} from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { distrust } from './distrust.ts';

export interface TrustedRoots {
  pinned: TrustRoot;
  newest: TrustRoot;
  /** Null where it is newer than the newest, or was never fetched. */
  at(version: number): TrustRoot | null;
  digestAt(version: number): Digest;
  /** Fetches older ones, down to this. Throws EDW_ERR_STORE_TAMPERED. */
  reach(version: number): Promise<void>;
}

/** Far more than any store will have; a store that goes on for ever is none. */
const MAX_ROOTS = 10_000;

type Fetch = (version: number) => Promise<SignedDocument | null>;

/** Throws what `verifyNextRoot` throws. */
export async function followRoots(document: SignedDocument, fetch: Fetch): Promise<TrustedRoots> {
  const pinned = verifyFirstRoot(document);
  const known = new Map([[pinned.version, { root: pinned, digest: digestOfPayload(document) }]]);
  let newest = pinned;
  for (let step = 0; step < MAX_ROOTS; step += 1) {
    const next = await fetch(newest.version + 1);
    if (next === null) break;
    newest = await verifyNextRoot(newest, next);
    known.set(newest.version, { root: newest, digest: digestOfPayload(next) });
  }
  let oldest = pinned;
  return {
    pinned,
    newest,
    at: (version) => known.get(version)?.root ?? null,
    digestAt: (version) => known.get(version)?.digest ?? '',
    async reach(version) {
      while (oldest.version > Math.max(1, version)) {
        const before = await fetch(oldest.version - 1);
        const digest = before === null ? null : digestOfPayload(before);
        if (before === null || digest === null || digest !== oldest.previous)
          throw distrust('EDW_ERR_STORE_TAMPERED', `version ${oldest.version - 1} of the trust root is another one`);
        oldest = verifyFirstRoot(before);
        known.set(oldest.version, { root: oldest, digest });
      }
    },
  };
}

/** Throws EDW_ERR_CONFIG_FILE. */
export async function readPinnedRoot(path: string): Promise<SignedDocument> {
  try {
    return signedDocumentOf(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_CONFIG_FILE', `reading the pinned trust root in ${path}: ${messageOf(cause)}`, {
      mend: 'Bring the root.json of the store here by hand, compare its fingerprint, and name it as rootFile.',
      cause,
    });
  }
}
