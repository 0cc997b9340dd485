/** Waiting that ends: what is waited for is asked again and again, and named when it does not come. */
import { setTimeout as sleep } from 'node:timers/promises';

const pauseMs = 20;
/** An answer takes the service that is asked a few milliseconds, too: whoever waits for long asks less often. */
const longestPauseMs = 150;

/** The first answer that is not null. Throws after pauses of `attempts` times 20 ms (default: 60 s), with the last failure. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null> | T | null,
  attempts = 3_000,
): Promise<T> {
  let failure: unknown;
  let pause = pauseMs;
  for (let pausedMs = 0; pausedMs < attempts * pauseMs; pausedMs += pause) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (thrown) {
      failure = thrown;
    }
    pause = Math.min(pause * 1.25, longestPauseMs);
    await sleep(pause);
  }
  const last = failure instanceof Error ? `: ${failure.message}` : '';
  throw new Error(`waited in vain: ${what}${last}`, { cause: failure });
}

/** Until it holds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  await eventually(what, async () => ((await holds()) ? true : null));
}
