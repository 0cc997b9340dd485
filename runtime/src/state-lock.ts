/**
 * One process to a state folder. The lock is a file that names its holder by pid and start time, so that a holder that
 * was killed, or whose pid was given to another program, does not lock its successor out.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateWriteError, systemCodeOf, unfinishedSuffix } from './durable-file.ts';
import { EdgewardError } from './errors.ts';

interface Holder {
  pid: number;
  /** Start time of the process in clock ticks since boot (proc(5), field 22); null where there is no /proc. */
  startedAt: string | null;
}

/** The answer gives the lock back. Throws EDW_ERR_STATE_IN_USE, EDW_ERR_STATE_WRITE. */
export async function takeStateLock(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
  const own = JSON.stringify({ pid: process.pid, startedAt: await startOf(process.pid) } satisfies Holder);
  // Twice: once to find a dead holder and remove it, once to take its place.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (await create(path, own)) return () => release(path, own);
    await removeIfDead(path, folder);
  }
  throw inUse(folder, null);
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

async function removeIfDead(path: string, folder: string): Promise<void> {
  const found = await readFile(path, 'utf8').catch(() => null);
  if (found === null) return;
  const holder = parseHolder(found);
  if (holder !== null && (await isAlive(holder))) throw inUse(folder, holder);
  // Moved, not removed: of two that find the same dead holder the slower one may have caught the quicker one's new lock,
  // and puts that back.
  const caught = `${path}.${process.pid}.${randomUUID()}${unfinishedSuffix}`;
  try {
    await rename(path, caught);
    if ((await readFile(caught, 'utf8')) !== found) await link(caught, path);
  } catch (thrown) {
    if (systemCodeOf(thrown) !== 'ENOENT' && systemCodeOf(thrown) !== 'EEXIST') throw stateWriteError(path, thrown);
  } finally {
    await rm(caught, { force: true });
  }
}

async function release(path: string, own: string): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => null)) === own) await rm(path, { force: true });
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

function inUse(folder: string, holder: Holder | null): EdgewardError {
  const who = holder === null ? 'another process' : `process ${holder.pid}`;
  return new EdgewardError('EDW_ERR_STATE_IN_USE', `opening the state folder ${folder}: ${who} uses it`, {
    mend: 'Stop the other service, or name another stateDir: two services cannot share one.',
  });
}
