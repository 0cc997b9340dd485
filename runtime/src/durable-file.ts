/**
 * Files that survive a crash. A file is replaced by rename after its bytes are on disk, so a reader sees the old content
 * or the new one, never half of either. Nothing here knows what the content means.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EdgewardError, messageOf } from './errors.ts';

/** Ends the name of a file that is being written; what carries it after a crash is garbage. */
export const unfinishedSuffix = '.unfinished';

const chunkBytes = 1 << 20;

// By descriptor: the handles of node:fs/promises are half of what a small file costs.
const open = promisify(fs.open);
const write = promisify<number, string | Uint8Array>(fs.writeFile);
const sync = promisify(fs.fsync);
const close = promisify(fs.close);
const chmod = promisify(fs.fchmod);

const mends: Record<string, string> = {
  EROFS: 'The file system is read-only. Name a writable folder as stateDir, or mount it writable.',
  EACCES: 'Let the user that runs Edgeward write in this folder (chown or chmod), or name another stateDir.',
  EPERM: 'Let the user that runs Edgeward write in this folder (chown or chmod), or name another stateDir.',
  ENOSPC: 'The disk is full. Free some space on it; what was there before is still in force.',
  EDQUOT: 'The disk quota is used up. Free some space; what was there before is still in force.',
  ENOENT: 'Create the folder, or name an existing one as stateDir.',
  ENOTDIR: 'A part of this path is a file. Name a folder as stateDir.',
};

/** EDW_ERR_STATE_WRITE with the mend that fits the system's own code. */
export function stateWriteError(path: string, cause: unknown): EdgewardError {
  const mend = mends[systemCodeOf(cause) ?? ''] ?? 'Check the disk and the permissions of this folder.';
  return new EdgewardError('EDW_ERR_STATE_WRITE', `writing ${path}: ${messageOf(cause)}`, { mend, cause });
}

/** `ENOENT`, `EACCES`, … of what the system threw, or null. */
export function systemCodeOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('code' in thrown)) return null;
  return typeof thrown.code === 'string' ? thrown.code : null;
}

/**
 * Replaces `path` whole: temporary file in the same folder, fsync, rename, fsync of the folder. An iterable is written
 * piece by piece and never held whole. `mode` defaults to 0600 and is set whatever the umask says. What stands there and
 * is no regular file is left alone: root could rename a file over /dev/null, for every program of the machine.
 */
export async function writeDurably(
  path: string,
  data: string | Uint8Array | Iterable<string>,
  options: { mode?: number } = {},
): Promise<void> {
  try {
    await refuseSpecial(path);
    const unfinished = await writeUnfinished(path, data, options.mode ?? 0o600);
    await withCleanup(unfinished, () => rename(unfinished, path));
    await syncFolder(dirname(path));
  } catch (thrown) {
    // What the caller's iterable throws is the caller's error, not the disk's.
    throw systemCodeOf(thrown)?.startsWith('E') && !(thrown instanceof EdgewardError)
      ? stateWriteError(path, thrown)
      : thrown;
  }
}

async function refuseSpecial(path: string): Promise<void> {
  // Through links, as /dev/stdout is one. What can't be looked at is not there, or is told by the write itself.
  const found = await stat(path).catch(() => null);
  if (found === null || found.isFile()) return;
  throw new EdgewardError('EDW_ERR_STATE_WRITE', `writing ${path}: it is no regular file`, {
    mend: 'Name a file. A device, a pipe or a folder can not be replaced by one.',
  });
}

/** The bytes on disk under a temporary name beside `path`; the caller renames or links it. */
export async function writeUnfinished(
  path: string,
  data: string | Uint8Array | Iterable<string>,
  mode: number,
): Promise<string> {
  const unfinished = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}${unfinishedSuffix}`);
  const file = await open(unfinished, 'wx', mode);
  await withCleanup(unfinished, async () => {
    try {
      await chmod(file, mode);
      await writeAll(file, data);
      await sync(file);
    } finally {
      await close(file);
    }
  });
  return unfinished;
}

/** Makes a rename, link or unlink in this folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const file = await open(folder, 'r');
  try {
    await sync(file);
  } finally {
    await close(file);
  }
}

async function withCleanup(unfinished: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    await rm(unfinished, { force: true }).catch(() => {}); // the first failure is the one to report
    throw thrown;
  }
}

async function writeAll(file: number, data: string | Uint8Array | Iterable<string>): Promise<void> {
  if (typeof data === 'string' || data instanceof Uint8Array) {
    await write(file, data);
    return;
  }
  let pieces: string[] = [];
  let length = 0;
  for (const piece of data) {
    pieces.push(piece);
    length += piece.length;
    if (length < chunkBytes) continue;
    await write(file, pieces.join(''));
    pieces = [];
    length = 0;
  }
  await write(file, pieces.join(''));
}
