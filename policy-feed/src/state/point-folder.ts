/**
 * What one point's follower keeps on disk: the last-known-good state and the one before it, the trust roots since the
 * pinned one, and apart from all that the floor with what was witnessed. Files are replaced whole. Nothing that is read
 * here is believed before it was verified again.
 *
 *   head.json, head.json.previous     signed heads; what they name is in blobs/
 *   blobs/HEX                         by digest
 *   roots/N.json                      signed, version by version
 *   floor.json, floor.json.previous   of these heads
 */
import { link, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, type Digest, type PointState, type SignedDocument, stateBlobs } from '@edgeward/policy-format';
import { stateWriteError, systemCodeOf, takeStateLock, unfinishedSuffix, writeDurably } from '@edgeward/runtime';
import { HEAD_WIRE_BYTES, ROOT_WIRE_BYTES, readSigned } from '../documents.ts';
import { type BlobFolder, openBlobFolder } from './blob-folder.ts';
import { MEMORY_BYTES, type Memory, memoryIn, sealed } from './memory.ts';

export interface PointFolder {
  readonly path: string;
  readonly blobs: Pick<BlobFolder, 'read'>;
  heads(): Promise<Pair<SignedDocument>>;
  memories(): Promise<Pair<Memory>>;
  /** Those after the pinned one, in order, as far as they can be read. */
  roots(after: number): Promise<SignedDocument[]>;
  saveRoot(version: number, document: SignedDocument): Promise<void>;
  /**
   * The state first, then the memory; durable when it resolves. `atHand`: blobs of it that came just now, verified. Throws
   * EDW_ERR_STATE_WRITE.
   */
  save(state: PointState, memory: Memory, atHand?: ReadonlyMap<Digest, Uint8Array>): Promise<void>;
  /** This state was loaded from here, whole: the next one keeps it as the one before. */
  loaded(state: PointState): void;
  close(): Promise<void>;
}

interface Pair<T> {
  newest: Kept<T>;
  previous: Kept<T>;
}

export type Kept<T> = { state: 'none' } | { state: 'damaged' } | { state: 'read'; value: T };

/** Throws EDW_ERR_STATE_WRITE where the folder can't be written, EDW_ERR_STATE_IN_USE where another process has it. */
export async function openPointFolder(path: string): Promise<PointFolder> {
  await makeFolders(path);
  const unlock = await takeStateLock(path);
  try {
    await sweep(path);
    const blobs = await openBlobFolder(join(path, 'blobs'));
    return { path, blobs, ...openRoots(join(path, 'roots')), ...openStates(path, blobs), close: unlock };
  } catch (thrown) {
    await unlock();
    throw thrown;
  }
}

type States = Pick<PointFolder, 'heads' | 'memories' | 'save' | 'loaded'>;

function openStates(path: string, blobs: BlobFolder): States {
  const heads = pairOf(join(path, 'head.json'), HEAD_WIRE_BYTES, (bytes) => readSigned(bytes, 'it', HEAD_WIRE_BYTES));
  const memories = pairOf(join(path, 'floor.json'), MEMORY_BYTES, memoryIn);
  let held: { stateRoot: Digest; digests: Set<Digest> } | null = null;

  return {
    heads: heads.read,
    memories: memories.read,
    async save(state, memory, atHand) {
      const { stateRoot } = state.head;
      const digests = digestsOf(state);
      // A head that was signed anew is the same state: the one before stays the one before. And what was not whole must
      // never take the place of what was.
      const rotates = held !== null && held.stateRoot !== stateRoot;
      await blobs.add(stateBlobs(state), atHand);
      if (rotates) await heads.keepPrevious();
      await heads.write(canonicalJson(state.signedHead));
      if (rotates) await memories.keepPrevious();
      await memories.write(sealed(memory));
      const isFirst = held === null;
      const before = held?.digests ?? new Set();
      held = { stateRoot, digests };
      if (rotates || isFirst) await blobs.keep(new Set([...digests, ...before]));
    },
    loaded(state) {
      held = { stateRoot: state.head.stateRoot, digests: digestsOf(state) };
    },
  };
}

function digestsOf(state: PointState): Set<Digest> {
  return new Set([...stateBlobs(state)].map(({ digest }) => digest));
}

function openRoots(folder: string): Pick<PointFolder, 'roots' | 'saveRoot'> {
  const pathOf = (version: number): string => join(folder, `${version}.json`);
  const parse = (bytes: Uint8Array): SignedDocument => readSigned(bytes, 'it', ROOT_WIRE_BYTES);
  return {
    async roots(after) {
      const found: SignedDocument[] = [];
      for (let version = after + 1; ; version += 1) {
        const root = await readKept(pathOf(version), ROOT_WIRE_BYTES, parse);
        if (root.state !== 'read') return found;
        found.push(root.value);
      }
    },
    saveRoot: (version, document) => writeDurably(pathOf(version), `${canonicalJson(document)}\n`),
  };
}

interface PairOfFiles<T> {
  read(): Promise<Pair<T>>;
  /** Canonical JSON. */
  write(text: string): Promise<void>;
  keepPrevious(): Promise<void>;
}

function pairOf<T>(newest: string, maxBytes: number, parse: (bytes: Uint8Array) => T): PairOfFiles<T> {
  const previous = `${newest}.previous`;
  return {
    read: async () => ({
      newest: await readKept(newest, maxBytes, parse),
      previous: await readKept(previous, maxBytes, parse),
    }),
    write: (text) => writeDurably(newest, `${text}\n`),
    keepPrevious: () => keepPrevious(newest, previous),
  };
}

/** Gives the newest a second name, in one step: at no moment is either name missing or half. */
async function keepPrevious(newest: string, previous: string): Promise<void> {
  const unfinished = previous + unfinishedSuffix;
  try {
    await linkAnew(newest, unfinished);
    await rename(unfinished, previous);
  } catch (thrown) {
    // Somebody removed the file by hand: there is nothing to keep.
    if (systemCodeOf(thrown) !== 'ENOENT') throw stateWriteError(previous, thrown);
  }
}

/** What was cut off here once has left the name; to look for it each time would cost more than the link. */
async function linkAnew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (thrown) {
    if (systemCodeOf(thrown) !== 'EEXIST') throw thrown;
    await rm(to, { force: true });
    await link(from, to);
  }
}

/** The final line break is part of it: what was cut short is nothing. */
async function readKept<T>(path: string, maxBytes: number, parse: (bytes: Uint8Array) => T): Promise<Kept<T>> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > maxBytes || bytes.at(-1) !== 0x0a) return { state: 'damaged' };
    return { state: 'read', value: parse(bytes.subarray(0, -1)) };
  } catch (thrown) {
    return { state: systemCodeOf(thrown) === 'ENOENT' ? 'none' : 'damaged' };
  }
}

async function makeFolders(path: string): Promise<void> {
  try {
    for (const folder of [path, join(path, 'blobs'), join(path, 'roots')])
      await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw stateWriteError(path, cause);
  }
}

/** What a process that was killed was still writing. The lock is held, so nobody is writing now. */
async function sweep(path: string): Promise<void> {
  for (const folder of [path, join(path, 'roots')])
    for (const name of await readdir(folder))
      if (name.endsWith(unfinishedSuffix)) await rm(join(folder, name), { force: true });
}
