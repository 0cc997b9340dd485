/**
 * Signals to a whole process group, and its end. A group lives as long as one of its processes, also after its leader.
 */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readProcFile } from './proc-file.ts';

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

/**
 * True as soon as no process of the group runs, false after `waitMs`. All processes of the machine are read only where none
 * that is known runs: at each look that would be most of what an NGINX costs that is started and ended.
 */
export async function groupEnded(group: number, waitMs: number): Promise<boolean> {
  const deadline = Date.now() + waitMs;
  let known: readonly string[] = [];
  while (signalGroup(group, 0)) {
    if (!known.some((pid) => runsIn(pid, group))) {
      const pids = processes();
      known = pids.filter((pid) => runsIn(pid, group));
      if (pids.length > 0 && known.length === 0) return true;
    }
    if (Date.now() >= deadline) return false;
    await sleep(pollMs);
  }
  return true;
}

/** Empty where there is no /proc. */
function processes(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/**
 * A process that ended and was not yet reaped still takes signals. Orphaned workers belong to process 1, which in many
 * containers reaps late or never, so where the group still answers its members' states are read. `stat` is
 * `pid (name) state parent group …`, and a name may hold spaces and brackets.
 */
function runsIn(pid: string, group: number): boolean {
  const stat = readProcFile(`/proc/${pid}/stat`) ?? '';
  const [state, , memberOf] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(memberOf) === group && state !== 'Z' && state !== 'X';
}
