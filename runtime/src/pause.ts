import type { Clock } from './clock.ts';

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

/** Over by itself or with the signal, also one that was given before. */
export async function whilePausing(pause: Pause, signal: AbortSignal): Promise<void> {
  if (signal.aborted) pause.end();
  signal.addEventListener('abort', pause.end, { once: true });
  await pause.over;
  signal.removeEventListener('abort', pause.end);
}
