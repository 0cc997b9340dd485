/**
 * One process to a state folder. The lock is a file that names its holder by pid and start time, so that a holder that
 * was killed, or whose pid was given to another program, does not lock its successor out. Who holds it is looked at before
 * anything is written: a disk without room hides no holder.
 */
import { randomUUID } from 'node:crypto';
import { link, lstat, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateWriteError, systemCodeOf, unfinishedSuffix } from './durable-file.ts';
import { EdgewardError, messageOf } from './errors.ts';
import { readPlainFile } from './plain-file.ts';

interface Holder {
  pid: number;
  /** Start time of the process in clock ticks since boot (proc(5), field 22); null where there is no /proc. */
  startedAt: string | null;
}

const MOST_BYTES = 4_096;

/**
 * The answer gives the lock back. Throws EDW_ERR_STATE_IN_USE, with a cause where there is a lock that can't be read;
 * EDW_ERR_STATE_WRITE.
 */
export async function takeStateLock(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
  const own = JSON.stringify({ pid: process.pid, startedAt: await startOf(process.pid) } satisfies Holder);
  // Twice: another process may have been quicker, and then be gone.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const dead = await deadLock(path, folder);
    if (dead !== null) await removeDead(path, dead, folder);
    if (await create(path, own)) return () => release(path, own);
  }
  throw inUse(folder, 'another process uses it');
}

/** Looks, and writes nothing. Throws EDW_ERR_STATE_IN_USE as `takeStateLock` does. */
export async function refuseHeldState(folder: string): Promise<void> {
  await deadLock(join(folder, 'lock'), folder);
}

/** Linked whole into place, so that no one ever reads half a lock. False when there is one already. */
async function create(path: string, own: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.${randomUUID()}${unfinishedSuffix}`;
  try {
    await writeFile(draft, own, { mode: 0o600 });
    await link(draft, path);
    return true;
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'EEXIST') return false;
    throw stateWriteError(path, thrown);
  } finally {
    await rm(draft, { force: true }).catch(() => {}); // where nothing can be written, nothing is left
  }
}

/** What is there of a process that has ended; null where there is nothing. Throws EDW_ERR_STATE_IN_USE. */
async function deadLock(path: string, folder: string): Promise<string | null> {
  const found = await textOf(path, folder);
  const holder = parseHolder(found ?? '');
  if (holder !== null && (await isAlive(holder))) throw inUse(folder, `process ${holder.pid} uses it`);
  return found;
}

/** Empty for what no holder wrote: a pipe or a link in its place is nobody's. */
async function textOf(path: string, folder: string): Promise<string | null> {
  try {
    return (await readPlainFile(path, MOST_BYTES)).toString();
  } catch (thrown) {
    const code = systemCodeOf(thrown);
    if (code === null) return '';
    if (code === 'ENOENT') return null;
    const isThere = await lstat(path).then(
      () => true,
      () => false,
    );
    if (isThere) throw inUse(folder, `its lock can't be read: ${messageOf(thrown)}`, thrown);
    return null; // the folder is closed to us, and taking the lock says so
  }
}

async function removeDead(path: string, found: string, folder: string): Promise<void> {
  // Moved, not removed: of two that find the same dead holder the slower one may have caught the quicker one's new lock,
  // and puts that back.
  const caught = `${path}.${process.pid}.${randomUUID()}${unfinishedSuffix}`;
  try {
    await rename(path, caught);
    if ((await textOf(caught, folder)) !== found) await link(caught, path);
  } catch (thrown) {
    if (thrown instanceof EdgewardError) throw thrown;
    if (systemCodeOf(thrown) !== 'ENOENT' && systemCodeOf(thrown) !== 'EEXIST') throw stateWriteError(path, thrown);
  } finally {
    await rm(caught, { force: true }).catch(() => {}); // a folder stays: its name says that it is nobody's
  }
}

async function release(path: string, own: string): Promise<void> {
  if ((await readPlainFile(path, MOST_BYTES).catch(() => '')).toString() === own) await rm(path, { force: true });
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ESRCH') return false;
  }
  const startedAt = await startOf(holder.pid);
  return startedAt === null || holder.startedAt === null || startedAt === holder.startedAt;
}

async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The program's name stands in parentheses and may hold anything; the fields are counted from its end.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

function parseHolder(text: string): Holder | null {
  try {
    const holder: unknown = JSON.parse(text);
    if (typeof holder !== 'object' || holder === null || !('pid' in holder) || !Number.isInteger(holder.pid))
      return null;
    const startedAt = 'startedAt' in holder && typeof holder.startedAt === 'string' ? holder.startedAt : null;
    return { pid: Number(holder.pid), startedAt };
  } catch {
    return null;
  }
}

function inUse(folder: string, words: string, cause?: unknown): EdgewardError {
  const doing = `opening the state folder ${folder}: ${words}`;
  if (cause !== undefined)
    return new EdgewardError('EDW_ERR_STATE_IN_USE', doing, {
      mend: 'If no other process uses it, delete the file `lock` in it.',
      cause,
    });
  return new EdgewardError('EDW_ERR_STATE_IN_USE', doing, {
    mend: 'Stop the other service, or name another stateDir: two services cannot share one.',
  });
}
