/**
 * The greatest revision that was ever in force here. It never goes down, also over a lost or damaged file: whoever numbers
 * revisions starts above it, so that no point ever sees an older revision than it holds.
 */
import { readFile } from 'node:fs/promises';
import { writeDurably } from '@edgeward/runtime';

export interface RevisionFloor {
  value(): number;
  /** Durable when it resolves. A revision at or below the floor changes nothing. Throws EDW_ERR_STATE_WRITE. */
  raise(revision: number): Promise<void>;
}

/** `fallback` is asked when the file is missing or damaged: the revision that other files prove. */
export async function openRevisionFloor(path: string, fallback: () => Promise<number>): Promise<RevisionFloor> {
  let floor = parse(await readFile(path, 'utf8').catch(() => '')) ?? (await fallback());
  let onDisk = 0;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    if (onDisk >= floor) return;
    const revision = floor;
    await writeDurably(path, `${revision}\n`);
    onDisk = revision;
  }

  return {
    value: () => floor,
    raise(revision) {
      floor = Math.max(floor, revision);
      // In order, and each caller's own failure; a failed write is tried again with the next.
      writing = writing.catch(() => {}).then(write);
      return writing;
    },
  };
}

/** The final newline is part of it: a number that was cut short is no number. */
function parse(text: string): number | null {
  return /^\d{1,15}\n$/.test(text) ? Number(text) : null;
}
