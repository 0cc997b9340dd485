/**
 * Signals to a whole process group, and its end. A group lives as long as one of its processes, also after its leader.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 10;

/** False when the group is gone. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  return signalProcess(-group, signal);
}

/** False when the process is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** True as soon as no process of the group is left, false after `waitMs`. */
export async function groupEnded(group: number, waitMs: number): Promise<boolean> {
  for (let waited = 0; waited < waitMs; waited += pollMs) {
    if (!signalGroup(group, 0)) return true;
    await sleep(pollMs);
  }
  return !signalGroup(group, 0);
}
