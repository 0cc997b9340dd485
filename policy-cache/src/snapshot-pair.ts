/** The newest snapshot and the one before it, which stands in when the newest was damaged on disk. */
import { link, rename, rm } from 'node:fs/promises';
import { stateWriteError, unfinishedSuffix } from '@edgeward/runtime';
import { type LoadedSnapshot, readSnapshot } from './snapshot-file.ts';

export interface SnapshotPaths {
  newest: string;
  previous: string;
}

/** `damaged` on a loaded one tells why it is not the newest; null when it is. */
export type SnapshotAnswer =
  | { state: 'loaded'; snapshot: LoadedSnapshot; damaged: string | null }
  | { state: 'none' }
  | { state: 'damaged'; cause: string };

/** The newest that is whole. Throws EDW_ERR_STATE_READ. */
export async function readNewest(paths: SnapshotPaths): Promise<SnapshotAnswer> {
  const newest = await readSnapshot(paths.newest);
  if (newest.state === 'loaded') return { ...newest, damaged: null };
  const previous = await readSnapshot(paths.previous);
  const cause = newest.state === 'damaged' ? newest.cause : `${paths.newest} is missing`;
  if (previous.state === 'loaded') return { ...previous, damaged: cause };
  if (newest.state === 'none' && previous.state === 'none') return { state: 'none' };
  return { state: 'damaged', cause: previous.state === 'damaged' ? `${cause}; ${previous.cause}` : cause };
}

/** 0 when there is none. */
export async function revisionOf(paths: SnapshotPaths): Promise<number> {
  const answer = await readNewest(paths);
  return answer.state === 'loaded' ? answer.snapshot.revision : 0;
}

/** Gives the newest file a second name, in one step: at no moment is either name missing or half. */
export async function keepPrevious({ newest, previous }: SnapshotPaths): Promise<void> {
  const unfinished = previous + unfinishedSuffix;
  try {
    await rm(unfinished, { force: true });
    await link(newest, unfinished);
    await rename(unfinished, previous);
  } catch (cause) {
    throw stateWriteError(previous, cause);
  }
}
