/**
 * Who waits for news of a point. Each is woken once: by news, at its own end, or when its client is gone. The number is
 * bounded by whoever lets them in.
 */
import type { Clock } from '@edgeward/runtime';

export interface Waiters {
  /** Settles when `point` has news, after `waitMs`, or when `signal` is aborted: whoever waited looks again. */
  wait(point: string, waitMs: number, signal: AbortSignal): Promise<void>;
  wake(point: string): void;
  readonly waiting: number;
}

export function createWaiters(clock: Clock): Waiters {
  const waiting = new Map<string, Set<() => void>>();
  let count = 0;
  return {
    wait(point, waitMs, signal) {
      if (waitMs <= 0 || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const ofPoint = waiting.get(point) ?? new Set();
        waiting.set(point, ofPoint);
        const end = (): void => {
          if (!ofPoint.delete(end)) return;
          count -= 1;
          if (ofPoint.size === 0 && waiting.get(point) === ofPoint) waiting.delete(point);
          cancel();
          signal.removeEventListener('abort', end);
          resolve();
        };
        ofPoint.add(end);
        count += 1;
        const cancel = clock.after(waitMs, end);
        signal.addEventListener('abort', end, { once: true });
      });
    },
    wake(point) {
      for (const end of [...(waiting.get(point) ?? [])]) end();
    },
    get waiting() {
      return count;
    },
  };
}
