import type { Clock } from '@edgeward/runtime';

/** A wait that can be cut short, and that leaves nothing behind. */
export interface Pause {
  readonly over: Promise<void>;
  /** Over now. */
  end(): void;
}

export function pauseFor(clock: Clock, ms: number): Pause {
  let finish: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const cancel = clock.after(ms, finish);
  return {
    over,
    end() {
      cancel();
      finish();
    },
  };
}
