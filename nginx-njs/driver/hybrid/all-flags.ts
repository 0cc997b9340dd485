import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CleanFlags, createCleanFlags, type Vouched } from './clean-flags.ts';
import { flagsFolderIn } from './snapshot-files.ts';

/**
 * Takes flags away wherever a snapshot on disk has NGINX look for them: where this service keeps its own, those that don't
 * vouch for one of these; anywhere else, as before a change of the configuration, all.
 */
export async function lowerEverywhere(
  snapshots: string,
  own: { folder: string; flags: CleanFlags },
  objects: readonly Vouched[],
): Promise<void> {
  for (const folder of await foldersIn(snapshots)) if (folder !== own.folder) await createCleanFlags(folder).lower([]);
  await own.flags.lower(objects);
}

/** As `lowerEverywhere`, of all: an NGINX that includes these snapshots from now on may have been pushed to without them. */
export async function lowerAll(snapshots: string): Promise<void> {
  for (const folder of await foldersIn(snapshots)) await createCleanFlags(folder).lower([]);
}

async function foldersIn(snapshots: string): Promise<Set<string>> {
  const names = await readdir(snapshots).catch(() => []);
  const texts = names.map((name) => readFile(join(snapshots, name, 'clean.conf'), 'utf8').catch(() => ''));
  return new Set((await Promise.all(texts)).flatMap((text) => flagsFolderIn(text) ?? []));
}
