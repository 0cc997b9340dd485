/**
 * Which blobs are named by which points, and for how long after. A point may fetch what its own heads name or named a
 * short while ago, and nothing else; a blob that nobody may fetch any more is removed. Where the disk takes no more, what
 * could not be written is served from memory.
 */
import type { Digest } from '@edgeward/policy-format';
import type { MirrorFolder } from './mirror-folder.ts';
import type { NamedBytes } from './slice-blobs.ts';

export interface BlobShelf {
  /** Throws nothing: false when one of them is in memory only. */
  put(blobs: Iterable<NamedBytes>): boolean;
  /** In memory, and written when they are put: whoever has many to serve at once writes them after. */
  hold(blobs: Iterable<NamedBytes>): void;
  /** From now on `point` names these, whatever it named before stays for a while. */
  name(point: string, digests: readonly Digest[], nowMs: number): void;
  /** Null for what none of these points names. */
  read(digest: Digest, points: Iterable<string>): Promise<Buffer | null>;
  /** Removes what nobody has named for a while. */
  sweep(nowMs: number): number;
}

interface Naming {
  current: ReadonlySet<Digest>;
  past: Map<Digest, number>;
}

export function createBlobShelf(folder: MirrorFolder, options: { keepMs: number }): BlobShelf {
  const namings = new Map<string, Naming>();
  const unwritten = new Map<Digest, NamedBytes>();

  function names(point: string, digest: Digest): boolean {
    const naming = namings.get(point);
    return naming !== undefined && (naming.current.has(digest) || naming.past.has(digest));
  }

  /** Bytes may be made when they are asked for: not for what is there already. */
  function write(blob: NamedBytes): boolean {
    const { digest } = blob;
    try {
      if (!folder.hasBlob(digest)) folder.writeBlob(digest, blob.bytes);
      unwritten.delete(digest);
      return true;
    } catch {
      unwritten.set(digest, blob);
      return false;
    }
  }

  return {
    put(blobs) {
      let written = true;
      for (const blob of blobs) if (!write(blob)) written = false;
      return written;
    },
    hold(blobs) {
      for (const blob of blobs) if (!folder.hasBlob(blob.digest)) unwritten.set(blob.digest, blob);
    },
    name(point, digests, nowMs) {
      const before = namings.get(point);
      const current = new Set(digests);
      const past = before?.past ?? new Map<Digest, number>();
      for (const digest of before?.current ?? []) if (!current.has(digest)) past.set(digest, nowMs);
      for (const digest of current) past.delete(digest);
      if (current.size === 0 && past.size === 0) namings.delete(point);
      else namings.set(point, { current, past });
    },
    async read(digest, points) {
      for (const point of points) {
        if (!names(point, digest)) continue;
        const held = unwritten.get(digest);
        return held === undefined ? folder.readBlob(digest) : Buffer.from(held.bytes);
      }
      return null;
    },
    sweep(nowMs) {
      const named = new Set<Digest>();
      for (const [point, { current, past }] of namings) {
        for (const [digest, sinceMs] of past) if (nowMs - sinceMs > options.keepMs) past.delete(digest);
        for (const digest of current) named.add(digest);
        for (const digest of past.keys()) named.add(digest);
        if (current.size === 0 && past.size === 0) namings.delete(point);
      }
      return sweepFolder(folder, unwritten, named, nowMs - options.keepMs);
    },
  };
}

function sweepFolder(
  folder: MirrorFolder,
  unwritten: Map<Digest, NamedBytes>,
  named: ReadonlySet<Digest>,
  beforeMs: number,
): number {
  for (const digest of unwritten.keys()) if (!named.has(digest)) unwritten.delete(digest);
  let removed = 0;
  for (const digest of folder.blobs()) {
    if (named.has(digest) || folder.changedMs(digest) > beforeMs) continue;
    folder.removeBlob(digest);
    removed += 1;
  }
  return removed;
}
