/**
 * Signals to a whole process group, and its end. A group lives as long as one of its processes, also after its leader.
 */
import { readdir, readFile } from 'node:fs/promises';
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

/** True as soon as no process of the group runs, false after `waitMs`. */
export async function groupEnded(group: number, waitMs: number): Promise<boolean> {
  const deadline = Date.now() + waitMs;
  while (await groupRuns(group)) {
    if (Date.now() >= deadline) return false;
    await sleep(pollMs);
  }
  return true;
}

/**
 * A process that ended and was not yet reaped still takes signals. Orphaned workers belong to process 1, which in many
 * containers reaps late or never, so where the group still answers its members' states are read.
 */
async function groupRuns(group: number): Promise<boolean> {
  if (!signalGroup(group, 0)) return false;
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return true;
  const states = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')));
  return states.some((state) => runsIn(state, group));
}

/** `stat` is `pid (name) state parent group …`, and a name may hold spaces and brackets. */
function runsIn(stat: string, group: number): boolean {
  const [state, , memberOf] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(memberOf) === group && state !== 'Z' && state !== 'X';
}
