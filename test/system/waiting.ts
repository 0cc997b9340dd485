/** Waiting that ends: what is waited for is asked again and again, and named when it does not come. */
import { setTimeout as sleep } from 'node:timers/promises';

const pauseMs = 20;

/** The first answer that is not null. Throws after `attempts` of 20 ms (default: 60 s), with the last failure. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null> | T | null,
  attempts = 3_000,
): Promise<T> {
  let failure: unknown;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (thrown) {
      failure = thrown;
    }
    await sleep(pauseMs);
  }
  const last = failure instanceof Error ? `: ${failure.message}` : '';
  throw new Error(`waited in vain: ${what}${last}`, { cause: failure });
}

/** Until it holds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  await eventually(what, async () => ((await holds()) ? true : null));
}
