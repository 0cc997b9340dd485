import type { Clock } from './clock.ts';

/**
 * Runs again and again by a clock, `turn` counted from 1. The time runs from the end of one turn to the next; what `run`
 * promises must not be refused. The answer ends it: what is under way goes on, and is the last.
 */
export function repeatedly(clock: Clock, everyMs: number, run: (turn: number) => unknown): () => void {
  let turn = 0;
  let ended = false;
  let cancel = (): void => {};
  const wait = (): void => {
    if (!ended) cancel = clock.after(everyMs, next);
  };
  const next = (): void => {
    turn += 1;
    const done = run(turn);
    if (done instanceof Promise) void done.then(wait);
    else wait();
  };
  wait();
  return () => {
    ended = true;
    cancel();
  };
}
