/**
 * One process at a time writes the rules of this host. Last-known-good gives way to a process that is known to run, and to
 * nothing else: not to a disk that takes no lock, and not to a lock that can't be read.
 */
import { join } from 'node:path';
import { EdgewardError, refuseHeldState, takeStateLock } from '@edgeward/runtime';
import { asOwnerOf } from './folder-owner.ts';

export type AgentLock =
  | { state: 'held'; release(): Promise<void> }
  /** Another process holds it. */
  | { state: 'in-use'; cause: EdgewardError }
  /** It can't be written, and no process that lives is seen to hold it. */
  | { state: 'unwritable'; cause: EdgewardError }
  /** Somebody else's, who may have ended long ago. */
  | { state: 'unreadable'; cause: EdgewardError };

/** Root does it as whom the folder belongs to: nothing that needs root may run beside it. */
export async function takeAgentLock(stateDir: string): Promise<AgentLock> {
  try {
    const unlock = await asOwnerOf(stateDir, () => takeStateLock(stateDir));
    return { state: 'held', release: () => asOwnerOf(stateDir, unlock) };
  } catch (thrown) {
    return (await withoutLock(stateDir, thrown)) ?? Promise.reject(thrown);
  }
}

/** Null for what says nothing of a lock. */
async function withoutLock(stateDir: string, thrown: unknown): Promise<AgentLock | null> {
  if (!(thrown instanceof EdgewardError)) return null;
  if (thrown.code === 'EDW_ERR_STATE_IN_USE') return othersLock(stateDir, thrown);
  if (thrown.code !== 'EDW_ERR_STATE_WRITE') return null;
  // Root that may not become the owner has not looked yet; looking harms nobody.
  const seen = await refuseHeldState(stateDir).catch((cause: unknown) => cause);
  return seen instanceof EdgewardError ? othersLock(stateDir, seen) : { state: 'unwritable', cause: thrown };
}

function othersLock(stateDir: string, cause: EdgewardError): AgentLock {
  if (cause.cause === undefined) return { state: 'in-use', cause };
  return { state: 'unreadable', cause: hidden(join(stateDir, 'lock'), cause) };
}

function hidden(path: string, cause: EdgewardError): EdgewardError {
  return new EdgewardError(cause.code, `reading ${path}: it belongs to somebody else`, {
    mend: 'Last-known-good is in force. If no other agent runs here, delete that file.',
    cause,
  });
}
