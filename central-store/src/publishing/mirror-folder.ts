/**
 * What a point may fetch, as files: `heads/POINT.json`, `roots/N.json`, `blobs/sha256/HEX`. Any copy of it serves as well as
 * the store. A file is there whole or not at all, and blobs come before the head that names them. Nothing is synced: what
 * a crash of the machine damages is found at the start by its digest, and written again.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf, isDigest, isName } from '@edgeward/policy-format';
import { stateWriteError, systemCodeOf, unfinishedSuffix } from '@edgeward/runtime';

export interface MirrorFolder {
  /** Whether it is known to be there, as this process wrote it or has compared it. */
  hasBlob(digest: Digest): boolean;
  /** Writes it where it is not known to be. Throws EDW_ERR_STATE_WRITE. */
  writeBlob(digest: Digest, bytes: Uint8Array): void;
  /** Null where there is none. */
  readBlob(digest: Digest): Promise<Buffer | null>;
  /** The same at once, and null too where the bytes have another digest. */
  verifiedBlob(digest: Digest): Buffer | null;
  removeBlob(digest: Digest): void;
  blobs(): Digest[];
  /** When it was written; now for what is not there. */
  changedMs(digest: Digest): number;
  /** Throws EDW_ERR_STATE_WRITE. */
  writeHead(point: string, bytes: Uint8Array): void;
  /** False when it may still be there. */
  removeHead(point: string): boolean;
  heads(): Map<string, Buffer>;
  writeRoot(version: number, bytes: Uint8Array): void;
}

/**
 * Synchronous on purpose: a change can concern a thousand points, each with three small files, and a round through the
 * thread pool costs ten times what writing or reading one does.
 */
export function openMirrorFolder(dir: string): MirrorFolder {
  const folders = { heads: join(dir, 'heads'), roots: join(dir, 'roots'), blobs: join(dir, 'blobs', 'sha256') };
  for (const folder of Object.values(folders)) makeFolder(folder);
  const known = new Set<Digest>();
  let drafts = 0;

  function write(path: string, bytes: Uint8Array): void {
    drafts += 1;
    const draft = join(dir, `.${process.pid}.${drafts}${unfinishedSuffix}`);
    try {
      writeFileSync(draft, bytes, { mode: 0o644 });
      renameSync(draft, path);
    } catch (thrown) {
      rmSync(draft, { force: true });
      throw stateWriteError(path, thrown);
    }
  }

  removeDrafts(dir);
  return {
    hasBlob: (digest) => known.has(digest),
    writeBlob(digest, bytes) {
      if (known.has(digest)) return;
      const path = join(folders.blobs, digest);
      if (!holds(path, digest, bytes.length)) write(path, bytes);
      known.add(digest);
    },
    readBlob: (digest) => readIfThere(join(folders.blobs, digest)),
    verifiedBlob(digest) {
      const path = join(folders.blobs, digest);
      if (statSync(path, { throwIfNoEntry: false }) === undefined) return null;
      const bytes = readFileSync(path);
      return digestOf(bytes) === digest ? bytes : null;
    },
    removeBlob(digest) {
      known.delete(digest);
      rmSync(join(folders.blobs, digest), { force: true });
    },
    blobs: () => readdirSync(folders.blobs).filter(isDigest),
    changedMs: (digest) => statSync(join(folders.blobs, digest), { throwIfNoEntry: false })?.mtimeMs ?? Date.now(),
    writeHead: (point, bytes) => write(join(folders.heads, `${point}.json`), bytes),
    removeHead(point) {
      try {
        rmSync(join(folders.heads, `${point}.json`), { force: true });
        return true;
      } catch {
        return false;
      }
    },
    heads: () => new Map(headFiles(folders.heads)),
    writeRoot: (version, bytes) => write(join(folders.roots, `${version}.json`), bytes),
  };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (thrown) {
    throw stateWriteError(folder, thrown);
  }
}

function removeDrafts(dir: string): void {
  for (const name of readdirSync(dir)) if (name.endsWith(unfinishedSuffix)) rmSync(join(dir, name), { force: true });
}

function* headFiles(folder: string): Generator<[string, Buffer]> {
  for (const file of readdirSync(folder)) {
    const point = file.endsWith('.json') ? file.slice(0, -'.json'.length) : '';
    if (isName(point)) yield [point, readFileSync(join(folder, file))];
  }
}

function holds(path: string, digest: Digest, length: number): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.size !== length) return false;
  return digestOf(readFileSync(path)) === digest;
}

/** Up to here reading takes less than a round through the thread pool; beyond, nobody else should wait for it. */
const AT_ONCE_BYTES = 64 * 1024;

async function readIfThere(path: string): Promise<Buffer | null> {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? null;
  if (size === null) return null;
  try {
    return size <= AT_ONCE_BYTES ? readFileSync(path) : await readFile(path);
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
}
