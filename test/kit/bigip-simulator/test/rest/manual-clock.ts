/** A clock that stands still until it is told to go on, and then runs what is due in order. */
import type { Clock } from '@edgeward/runtime';

export interface ManualClock extends Clock {
  advance(ms: number): Promise<void>;
}

export function createManualClock(startMs = Date.UTC(2026, 10, 22)): ManualClock {
  let nowMs = startMs;
  let timers: { dueMs: number; run: () => void }[] = [];

  async function rest(): Promise<void> {
    // One turn of the event loop runs every microtask; two leave room for a real immediate in between.
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { dueMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    async advance(ms) {
      await rest(); // what was just started sets its timers from now, not from the end
      const endMs = nowMs + ms;
      for (let fired = 0; fired < 10_000; fired += 1) {
        const [next] = timers.toSorted((one, other) => one.dueMs - other.dueMs);
        if (next === undefined || next.dueMs > endMs) break;
        timers = timers.filter((other) => other !== next);
        nowMs = Math.max(nowMs, next.dueMs);
        next.run();
        await rest();
      }
      nowMs = endMs;
    },
  };
}
