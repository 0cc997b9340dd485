/**
 * Who waits for news of a point. Each is woken once: by news, at its own end, or when its client is gone. The number is
 * bounded by whoever lets them in.
 */
import type { Clock } from '@edgeward/runtime';

export interface Waiters {
  /** Settles when one of them has news, after `waitMs`, or when `signal` is aborted: whoever waited looks again. */
  wait(points: readonly string[], waitMs: number, signal: AbortSignal): Promise<void>;
  wake(point: string): void;
  /** Points that are waited for, each as often as it is. */
  readonly waiting: number;
}

export function createWaiters(clock: Clock): Waiters {
  const waiting = new Map<string, Set<() => void>>();
  let count = 0;

  function enter(point: string, end: () => void): void {
    const ofPoint = waiting.get(point) ?? new Set();
    waiting.set(point, ofPoint);
    ofPoint.add(end);
    count += 1;
  }

  function leave(point: string, end: () => void): void {
    const ofPoint = waiting.get(point);
    if (ofPoint?.delete(end) !== true) return;
    count -= 1;
    if (ofPoint.size === 0) waiting.delete(point);
  }

  return {
    wait(points, waitMs, signal) {
      if (waitMs <= 0 || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const end = (): void => {
          for (const point of points) leave(point, end);
          cancel();
          signal.removeEventListener('abort', end);
          resolve();
        };
        for (const point of points) enter(point, end);
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
