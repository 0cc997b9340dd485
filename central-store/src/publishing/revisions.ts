/**
 * Numbers for what is published, across the whole store. A number is on disk as taken before it is used, so that no
 * crash makes one twice. They are taken a block at a time: a disk that is full does not keep a revocation from its points.
 * After a crash the rest of a block is passed over.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgewardError, systemCodeOf, writeDurably } from '@edgeward/runtime';

export interface Revisions {
  /** The last that was given out; 0 before the first. */
  last(): number;
  /** Throws EDW_ERR_STATE_WRITE when none is left and none can be taken. */
  next(): Promise<number>;
  /** The next is greater than this. */
  above(revision: number): void;
  /** Gives back what is left of the block. */
  close(): Promise<void>;
}

const BLOCK = 64;

/** `least`: the greatest that other files prove. Throws EDW_ERR_STORE_REVISION. */
export async function openRevisions(dir: string, least: number): Promise<Revisions> {
  const path = join(dir, 'revision');
  let last = Math.max(least, await readRevision(path));
  let taken = last;

  async function take(upTo: number): Promise<void> {
    await writeDurably(path, `${upTo}\n`);
    taken = upTo;
  }

  return {
    last: () => last,
    async next() {
      if (last >= taken) await take(last + BLOCK);
      last += 1;
      return last;
    },
    above(revision) {
      last = Math.max(last, revision);
    },
    async close() {
      if (taken > last) await take(last);
    },
  };
}

async function readRevision(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return '0\n';
    throw unreadable(path, thrown);
  });
  // The final newline is part of it: a number that was cut short is another number.
  if (!/^\d{1,16}\n$/.test(text) || !Number.isSafeInteger(Number(text))) throw unreadable(path, null);
  return Number(text);
}

/** Not taken for 0: points would refuse everything that is numbered anew, and nobody would know why. */
function unreadable(path: string, cause: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_REVISION', `reading ${path}: it holds no revision`, {
    mend: 'Restore the file from a backup and add 1000 to it, or raise the epoch in a new trust root and remove the file.',
    ...(cause === null ? {} : { cause }),
  });
}
