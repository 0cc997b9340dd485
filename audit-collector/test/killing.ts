/** Processes that are killed at random moments, from outside or by themselves. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Numbers from 0 to `max`, the same for the same seed (mulberry32). */
export function dice(seed: number): (max: number) => number {
  let state = seed;
  return (max) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (max + 1));
  };
}

/** It may have ended by itself. */
export async function kill(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Called with the name of each moment that is passed, it kills this process at the `count`th `moment`. */
export function killingItself(moment: string | undefined, count: string | undefined): (at: string) => void {
  let left = Number(count);
  return (at) => {
    if (at !== moment) return;
    left -= 1;
    if (left <= 0) process.kill(process.pid, 'SIGKILL');
  };
}
