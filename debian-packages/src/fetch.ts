/**
 * Packages of one suite of Debian, unpacked into a folder of the cache. The folder appears by one rename: two processes,
 * or a crash, never leave half of it. What is there and fits is never replaced under the feet of those who run it.
 */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf, systemCodeOf } from '@edgeward/runtime';
import { downloadPackages, missingTool } from './apt-download.ts';
import { fetchError, unsupportedError } from './fetch-errors.ts';
import { type SystemKind, systemKind } from './system-kind.ts';
import {
  type Architecture,
  architectureHere,
  keptTree,
  placeOf,
  type TreeName,
  type UnpackedTree,
} from './unpacked-tree.ts';

export interface FetchPackagesOptions extends TreeName {
  /** What a person reads while it is fetched, as in `NGINX 1.26 with njs 0.8.9 (13 MB)`. */
  readonly title: string;
  /** What they depend on comes with them; what they recommend does not. */
  readonly packages: readonly string[];
  /** Whether what lies in the cache serves. Default: it is there. Asked again after the download. */
  readonly fits?: (tree: UnpackedTree) => Promise<boolean>;
  /** One short line per step that may take a second. */
  readonly progress?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** Names of folders that are being filled begin so; one that is older than this was left by a crash. */
const unfinished = '.fetch-';
const abandonedAfterMs = 3_600_000;

/**
 * Answers at once where what is kept fits. Rejects with EDW_ERR_PACKAGES_UNSUPPORTED where this system can't fetch
 * packages at all, with EDW_ERR_PACKAGES_FETCH where it failed, and with the reason of `signal`. Leaves nothing behind.
 */
export async function fetchPackages(options: FetchPackagesOptions): Promise<UnpackedTree> {
  const { signal } = options;
  const cacheDir = resolve(options.cacheDir);
  const place = { ...options, cacheDir };
  const fits = async (): Promise<UnpackedTree | null> => {
    const tree = await keptTree(place);
    return tree !== null && (options.fits === undefined || (await options.fits(tree))) ? tree : null;
  };
  const kept = await fits();
  if (kept !== null) return kept;

  signal?.throwIfAborted();
  const { architecture, system } = await supportedHere(options.title);
  const folder = await workFolder(cacheDir);
  try {
    await downloadPackages({ ...options, folder, architecture: architecture.name, system });
    // Another process may have been quicker.
    if ((await fits()) === null) await moveIntoPlace(join(folder, 'root'), placeOf(place, architecture));
  } finally {
    // A program that was ended may still be writing its last file.
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  const tree = await keptTree(place);
  if (tree === null)
    throw fetchError(
      `unpacking ${options.title}: there is no dynamic linker in it`,
      `Remove ${cacheDir} and try again.`,
    );
  return tree;
}

async function supportedHere(title: string): Promise<{ architecture: Architecture; system: SystemKind }> {
  const architecture = architectureHere();
  const system = await systemKind();
  if (system.kind === 'other') throw unsupportedError(title, `${system.name} is neither Debian nor Ubuntu`);
  if (architecture === null) throw unsupportedError(title, `no packages for ${process.arch}`);
  const missing = await missingTool();
  if (missing !== null) throw fetchError(`fetching ${title}: ${missing.what} is missing`, missing.mend);
  return { architecture, system };
}

async function workFolder(cacheDir: string): Promise<string> {
  try {
    await mkdir(cacheDir, { recursive: true });
    await removeAbandoned(cacheDir);
    return await mkdtemp(join(cacheDir, unfinished));
  } catch (error) {
    throw fetchError(
      `writing to the cache folder ${cacheDir}: ${messageOf(error)}`,
      'Name a folder that this user may write in EDGEWARD_CACHE.',
      error,
    );
  }
}

async function removeAbandoned(cacheDir: string): Promise<void> {
  for (const name of (await readdir(cacheDir)).filter((entry) => entry.startsWith(unfinished))) {
    const path = join(cacheDir, name);
    const changedMs = await stat(path).then(
      (found) => found.mtimeMs,
      () => Number.POSITIVE_INFINITY,
    );
    if (Date.now() - changedMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}

async function moveIntoPlace(from: string, place: string): Promise<void> {
  const broken = `${from}-broken`;
  await rename(place, broken).catch((error) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  });
  await rename(from, place).catch((error) => {
    if (systemCodeOf(error) !== 'ENOTEMPTY' && systemCodeOf(error) !== 'EEXIST') throw error;
  });
}
