/** `edgeward store status`: what is published and where it has arrived; with --watch as it happens. */
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { type Answered, watchOption, watchStatus } from '../../frame/status-watch.ts';
import { STORE_AWAY } from '../client/store-away.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { statusText } from './status-text.ts';
import { type ShownStore, storeStatusOf } from './store-status.ts';

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
    watch: watchOption,
    all: { type: 'boolean', says: 'Every point, however many there are.' },
    ...storeOptions,
  },
  run: runStatus,
};

const MAX_POINTS = 40;

/** A report comes every minute, whatever it says, and a head is signed anew before it ends. */
const TIME_KEYS = new Set(['nowMs', 'heardAtMs', 'at', 'issuedAt', 'expiresAt']);

async function runStatus(context: Context): Promise<ExitCode> {
  const { client } = await openSession(context, 'store status');
  const points = context.flag('all') ? Number.POSITIVE_INFINITY : MAX_POINTS;
  const ask = async (): Promise<Answered<ShownStore>> => {
    const raw = await client.status();
    return { raw, value: storeStatusOf(raw, client.url) };
  };
  const text = (value: ShownStore): string => statusText(value, { points }, context.paint);
  if (context.flag('watch')) return await watchStatus(context, { ask, text, timeKeys: TIME_KEYS, passing: STORE_AWAY });
  const { raw, value } = await ask();
  if (context.json) await context.printJson(raw);
  else await context.out.write(text(value));
  return 0;
}
