/**
 * Finds a program: the one that is installed, else the one unpacked earlier, else Debian's own packages unpacked now. A
 * candidate counts only after whoever asks has run it and taken it; why the others were passed over is part of the error.
 */
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { type EdgewardError, messageOf } from '@edgeward/runtime';
import { defaultCacheDir } from './cache-folder.ts';
import { fetchPackages } from './fetch.ts';
import { keptTree, type UnpackedTree } from './unpacked-tree.ts';

export interface FindProgramOptions {
  /** Where an unpacked one is kept. Default: `defaultCacheDir()`. */
  readonly cacheDir?: string;
  /** Whether packages may be fetched. Default true. */
  readonly allowFetch?: boolean;
  /** One short line per step that may take a second. */
  readonly progress?: (message: string) => void;
  /** Where to look for an installed one. Default: PATH, and the folders where packages put such a program. */
  readonly searchPath?: string;
  readonly signal?: AbortSignal;
}

export interface ProgramKind<Found> {
  /** The folder in the cache begins with it; one word. */
  readonly name: string;
  /** What a person reads while it is fetched, with its size. */
  readonly title: string;
  readonly packages: readonly string[];
  /** Names of the file, the most wanted first: every folder is asked for the first name before any for the second. */
  readonly files: readonly string[];
  /** Beside PATH, where ordinary users have none of these. */
  readonly customaryFolders: readonly string[];
  /** The program at this path, or why it can't serve. */
  installed(path: string): Promise<Found | string>;
  /** The program in this tree, or why it can't serve. */
  unpacked(tree: UnpackedTree): Promise<Found | string>;
  notFound(reasons: readonly string[], cause?: unknown): EdgewardError;
}

/** Rejects as `kind.notFound` says, with what was tried, or with the reason of `signal`. */
export async function findProgram<Found extends object>(
  kind: ProgramKind<Found>,
  options: FindProgramOptions,
): Promise<Found> {
  const cacheDir = resolve(options.cacheDir ?? defaultCacheDir());
  const reasons: string[] = [];
  for (const path of await installed(kind, options.searchPath)) {
    const found = await kind.installed(path);
    if (typeof found !== 'string') return found;
    reasons.push(found);
  }
  if (options.allowFetch === false) {
    const tree = await keptTree({ cacheDir, name: kind.name });
    const found = tree === null ? `nothing unpacked in ${cacheDir}` : await kind.unpacked(tree);
    if (typeof found !== 'string') return found;
    throw kind.notFound([...reasons, found, 'fetching is switched off']);
  }
  return fetched(kind, options, cacheDir, reasons);
}

async function fetched<Found extends object>(
  kind: ProgramKind<Found>,
  { progress, signal }: FindProgramOptions,
  cacheDir: string,
  reasons: readonly string[],
): Promise<Found> {
  const { name, title, packages } = kind;
  const tree = await fetchPackages({
    cacheDir,
    name,
    title,
    packages,
    fits: async (kept) => typeof (await kind.unpacked(kept)) !== 'string',
    ...(progress === undefined ? {} : { progress }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error) => {
    signal?.throwIfAborted();
    throw kind.notFound([...reasons, messageOf(error)], error);
  });
  const found = await kind.unpacked(tree);
  if (typeof found === 'string') throw kind.notFound([...reasons, found]);
  return found;
}

async function installed(
  { files, customaryFolders }: Pick<ProgramKind<never>, 'files' | 'customaryFolders'>,
  searchPath: string | undefined,
): Promise<string[]> {
  const named = (searchPath ?? process.env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  const folders = [...new Set([...named, ...(searchPath === undefined ? customaryFolders : [])])];
  const paths = files.flatMap((file) => folders.map((folder) => join(folder, file)));
  const there = await Promise.all(
    paths.map((path) =>
      access(path, constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return paths.filter((_, index) => there[index] === true);
}
