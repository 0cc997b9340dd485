/** `edgeward store status`: what is published and where it has arrived; with --watch as it happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command, Context } from '../../frame/command.ts';
import { codedError, type ExitCode } from '../../frame/exit-codes.ts';
import { stopOnSignals } from '../../frame/stop-signals.ts';
import { jsonText } from '../../frame/terminal-text.ts';
import { sayLost } from '../client/store-away.ts';
import type { StoreClient } from '../client/store-client.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { statusText } from './status-text.ts';
import { storeStatusOf } from './store-status.ts';

export const status: Command = {
  name: 'store status',
  summary: 'Show what is published, and where it has arrived.',
  help: {
    examples: [
      {
        line: 'edgeward store status',
        says: 'Versions, the roll-out, a table of points, and what waits for somebody.',
      },
      { line: 'edgeward store status --watch', says: 'The same, again whenever it changes, until Ctrl-C.' },
    ],
    usage: [`[--watch] [--all] ${storeUsage} [--json]`],
    about: [
      'What points have is what their services report; STALE IN is when a point that hears nothing more says so, which neither opens nor closes anything. Points that are not current come first.',
      'JSON: what GET /v1/status answers, with --watch one document a line.',
    ],
    exits: { ...storeExits, 0: 'the store answered, whatever it said' },
  },
  args: [],
  options: {
    watch: { type: 'boolean', says: 'Go on, and show it again when something changed.' },
    all: { type: 'boolean', says: 'Every point, however many there are.' },
    ...storeOptions,
  },
  run: runStatus,
};

const POLL_MS = 2_000;
const MAX_POINTS = 40;

async function runStatus(context: Context): Promise<ExitCode> {
  const { client } = await openSession(context, 'store status');
  if (!context.flag('watch')) {
    await show(context, await client.status(), client.url);
    return 0;
  }
  const signals = stopOnSignals();
  const stop = AbortSignal.any([context.out.gone, signals.stop]);
  try {
    await watch(context, client, stop);
  } finally {
    signals.release();
  }
  return 0;
}

async function show(context: Context, raw: unknown, url: string): Promise<void> {
  const read = storeStatusOf(raw, url);
  if (context.json) await context.printJson(raw);
  else await context.out.write(statusText(read, { points: limitOf(context) }, context.paint));
}

/** A terminal is drawn over; elsewhere each state that differs follows the one before. */
async function watch(context: Context, client: StoreClient, stop: AbortSignal): Promise<void> {
  let before = '';
  let lost = false;
  while (!stop.aborted) {
    try {
      const raw = await client.status();
      if (stop.aborted) return;
      lost = false;
      const now = unlessTime(raw);
      if (now !== before || context.out.isTty) await draw(context, raw, client.url);
      before = now;
    } catch (thrown) {
      await sayLost(context, codedError(thrown), lost);
      lost = true;
    }
    await sleep(POLL_MS, undefined, { signal: stop }).catch(() => {}); // stopped: nothing to wait for
  }
}

async function draw(context: Context, raw: unknown, url: string): Promise<void> {
  if (context.json) return await context.out.write(`${jsonText(raw)}\n`);
  const text = statusText(storeStatusOf(raw, url), { points: limitOf(context) }, context.paint);
  await context.out.write(context.out.isTty ? `\x1b[H\x1b[2J${text}` : `${text}\n`);
}

/** What changes by itself is no change. */
function unlessTime(raw: unknown): string {
  return JSON.stringify(raw, (key, value: unknown) =>
    key === 'nowMs' || key === 'heardAtMs' || key === 'at' ? undefined : value,
  );
}

function limitOf(context: Context): number {
  return context.flag('all') ? Number.POSITIVE_INFINITY : MAX_POINTS;
}
