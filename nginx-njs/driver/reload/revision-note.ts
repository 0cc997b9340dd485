/**
 * The newest revision that changed nothing here. A snapshot names the revision that it was made of; a later one of the
 * same content is written down beside it in place of a reload, and counts for that snapshot alone.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotDisk } from '../snapshot/index.ts';
import type { InForce } from './in-force.ts';

const FILE = 'revision.json';

/** Of what is in force: as noted, else as the snapshot says. */
export async function revisionHeld(folder: string, { generation, revision }: InForce): Promise<number> {
  try {
    const note: unknown = JSON.parse(await readFile(join(folder, FILE), 'utf8'));
    if (typeof note !== 'object' || note === null || !('generation' in note) || !('revision' in note)) return revision;
    if (note.generation !== generation || !Number.isSafeInteger(note.revision)) return revision;
    return Math.max(revision, Number(note.revision));
  } catch {
    // What is lost is a number that the next apply writes again.
    return revision;
  }
}

export async function noteRevision(
  disk: SnapshotDisk,
  folder: string,
  note: { generation: string; revision: number },
): Promise<number> {
  const text = `${JSON.stringify(note)}\n`;
  await disk.write(join(folder, FILE), text);
  return text.length;
}
