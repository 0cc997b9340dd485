/** For commands that go on: what is said of whom they ask and who is away, and what ends them all the same. */
import type { EdgewardError } from '@edgeward/runtime';
import type { Context } from './command.ts';
import { printable } from './terminal-text.ts';

/** Once, not every second. Throws what does not pass by itself: it ends the command. */
export async function sayLost(
  { err }: Pick<Context, 'err'>,
  error: EdgewardError,
  { passing, known }: { passing: ReadonlySet<string>; known: boolean },
): Promise<void> {
  if (!passing.has(error.code)) throw error;
  if (!known) await err.write(`${printable(error.message)}; trying again until it answers\n`);
}
