/**
 * `--watch`: a status again and again until Ctrl-C. A terminal is drawn over; elsewhere each state that differs follows
 * the one before, and with --json as one document a line. Time alone prints nothing, and an absence is said once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sayLost } from './absence.ts';
import type { Context, Option } from './command.ts';
import { codedError, type ExitCode } from './exit-codes.ts';
import { stopOnSignals } from './stop-signals.ts';
import { jsonText } from './terminal-text.ts';

/** What came, as it came, and what of it we understand. */
export interface Answered<T> {
  raw: unknown;
  value: T;
}

export interface Watched<T> {
  /** May end early where `stop` says so, by throwing. */
  ask(stop: AbortSignal): Promise<Answered<T>>;
  /** For a person. */
  text(value: T): string;
  /** Keys, wherever they stand, of what becomes another by time alone. */
  timeKeys: ReadonlySet<string>;
  /** Codes of what passes by itself; everything else ends the watch. */
  passing: ReadonlySet<string>;
}

type Screen = Pick<Context, 'json' | 'out' | 'err'>;

export const watchOption: Option = { type: 'boolean', says: 'Go on, and show it again when something changed.' };

const POLL_MS = 2_000;

export async function watchStatus<T>(context: Screen, watched: Watched<T>): Promise<ExitCode> {
  const signals = stopOnSignals();
  try {
    await watch(context, watched, AbortSignal.any([context.out.gone, signals.stop]));
  } finally {
    signals.release();
  }
  return 0;
}

async function watch<T>(context: Screen, watched: Watched<T>, stop: AbortSignal): Promise<void> {
  const drawsOver = context.out.isTty && !context.json;
  let before = '';
  let lost = false;
  while (!stop.aborted) {
    try {
      const answered = await watched.ask(stop);
      if (stop.aborted) return;
      lost = false;
      const now = unlessTime(answered.raw, watched.timeKeys);
      if (now !== before || drawsOver) await draw(context, watched, answered);
      before = now;
    } catch (thrown) {
      // An answer that was cut short by Ctrl-C is no absence.
      if (stop.aborted) return;
      await sayLost(context, codedError(thrown), { passing: watched.passing, known: lost });
      lost = true;
    }
    await sleep(POLL_MS, undefined, { signal: stop }).catch(() => {}); // stopped: nothing to wait for
  }
}

async function draw<T>({ json, out }: Screen, { text }: Watched<T>, { raw, value }: Answered<T>): Promise<void> {
  if (json) return await out.write(`${jsonText(raw)}\n`);
  await out.write(out.isTty ? `\x1b[H\x1b[2J${text(value)}` : `${text(value)}\n`);
}

function unlessTime(raw: unknown, timeKeys: ReadonlySet<string>): string {
  return JSON.stringify(raw, (key, value: unknown) => (timeKeys.has(key) ? undefined : value));
}
