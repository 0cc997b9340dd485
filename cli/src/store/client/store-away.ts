/** For commands that go on: what it says of a store that is away, and what ends them all the same. */
import type { EdgewardError } from '@edgeward/runtime';
import type { Context } from '../../frame/command.ts';
import { printable } from '../../frame/terminal-text.ts';

const PASSING = new Set(['EDW_ERR_STORE_UNREACHABLE', 'EDW_ERR_STORE_RATE', 'EDW_ERR_TIMEOUT']);

/** Once, not every second; what does not pass by itself ends the command. */
export async function sayLost({ err }: Context, error: EdgewardError, known: boolean): Promise<void> {
  if (!PASSING.has(error.code)) throw error;
  if (!known) await err.write(`${printable(error.message)}; trying again until it answers\n`);
}
