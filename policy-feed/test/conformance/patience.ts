/** Waiting in tests: bounded, and an error beyond it. Nothing is ever asserted about how long something took. */
import { setTimeout as pause } from 'node:timers/promises';

export const PATIENCE_MS = 90_000;

export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`it never came to pass: ${what}`);
    await pause(10);
  }
}

/** What it threw; an error if it threw nothing, or nothing at all came of it. */
export async function thrownBy(what: string, run: () => Promise<unknown>): Promise<Error & { code?: string }> {
  const ending = new AbortController();
  const late = pause(PATIENCE_MS, 'nothing came of it', { signal: ending.signal }).catch(() => '');
  const outcome = await Promise.race([run().then(() => 'it went well', asError), late]);
  ending.abort();
  if (typeof outcome === 'string') throw new Error(`${outcome}: ${what}`);
  return outcome;
}

function asError(thrown: unknown): Error & { code?: string } {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
