/**
 * Blobs on disk, each named by its digest: written once, never changed, gone when nothing names them. What has another
 * digest than its name is as good as not there.
 */
import { readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf, isDigest, type StateBlob } from '@edgeward/policy-format';
import { stateWriteError, syncFolder, writeUnfinished } from '@edgeward/runtime';

export interface BlobFolder {
  /**
   * Durable when it resolves; what is there already is not made again. `atHand`: bytes of some that were compared with their
   * names, so that they are not made either. Throws EDW_ERR_STATE_WRITE.
   */
  add(blobs: Iterable<StateBlob>, atHand?: ReadonlyMap<Digest, Uint8Array>): Promise<void>;
  /** Null where there is none, where it is larger than `maxBytes` or damaged, and where it can't be read. */
  read(digest: Digest, maxBytes: number): Promise<Uint8Array | null>;
  /** Removes every other. What can't be removed now is removed another time. */
  keep(digests: ReadonlySet<Digest>): Promise<void>;
}

/** The folder exists, and nobody else writes in it. */
export async function openBlobFolder(folder: string): Promise<BlobFolder> {
  const present = new Set<Digest>();
  for (const name of await readdir(folder)) {
    if (isDigest(name)) present.add(name);
    else await rm(join(folder, name), { force: true, recursive: true });
  }
  return {
    async add(blobs, atHand) {
      try {
        let added = 0;
        for (const { digest, bytes } of blobs) {
          if (present.has(digest)) continue;
          await write(folder, digest, atHand?.get(digest) ?? bytes());
          present.add(digest);
          added += 1;
        }
        if (added > 0) await syncFolder(folder);
      } catch (thrown) {
        throw stateWriteError(folder, thrown);
      }
    },
    async read(digest, maxBytes) {
      if (!present.has(digest)) return null;
      const bytes = await read(join(folder, digest), maxBytes);
      if (bytes !== null && digestOf(bytes) === digest) return bytes;
      present.delete(digest); // To be written anew.
      return null;
    },
    async keep(digests) {
      for (const digest of [...present]) {
        if (digests.has(digest)) continue;
        present.delete(digest);
        await unlink(join(folder, digest)).catch(() => {});
      }
    },
  };
}

async function write(folder: string, digest: Digest, bytes: Uint8Array): Promise<void> {
  const path = join(folder, digest);
  const unfinished = await writeUnfinished(path, bytes, 0o600);
  await rename(unfinished, path);
}

async function read(path: string, maxBytes: number): Promise<Uint8Array | null> {
  try {
    const { size } = await stat(path);
    return size > maxBytes ? null : await readFile(path);
  } catch {
    return null;
  }
}
