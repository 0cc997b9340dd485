/** Options that stand for something else than text. */
import type { Context } from './command.ts';
import { parseDurationMs } from './duration.ts';
import { usageError } from './usage-error.ts';

/** A length of time in milliseconds; undefined where it is not given. Throws EDW_ERR_USAGE. */
export function durationOption(context: Context, name: string, command: string, leastMs = 0): number | undefined {
  const given = context.text(name);
  if (given === undefined) return undefined;
  const ms = parseDurationMs(given);
  if (ms !== null && ms >= leastMs) return ms;
  throw usageError(`--${name}: '${given}' is no time`, command, 'Write 90s, 10m, 2h or 1d.');
}

/** Zero or more. Throws EDW_ERR_USAGE. */
export function wholeNumber(context: Context, name: string, unset: number, command: string): number {
  const text = context.text(name);
  if (text === undefined) return unset;
  if (/^(0|[1-9]\d{0,8})$/.test(text)) return Number(text);
  throw usageError(`--${name}: '${text}' is no whole number`, command);
}
