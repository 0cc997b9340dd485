import type { Clock } from '@edgeward/runtime';

/** Runs again and again, `turn` counted from 1. The answer ends it. */
export function repeatedly(clock: Clock, everyMs: number, run: (turn: number) => void): () => void {
  let turn = 0;
  let cancel = (): void => {};
  const next = (): void => {
    turn += 1;
    run(turn);
    cancel = clock.after(everyMs, next);
  };
  cancel = clock.after(everyMs, next);
  return () => cancel();
}
