/** `edgeward denials`: deny events, newest last; with --follow the ones to come as well. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sayLost } from '../frame/absence.ts';
import type { Command, Context } from '../frame/command.ts';
import { codedError, type ExitCode } from '../frame/exit-codes.ts';
import { durationOption } from '../frame/option-values.ts';
import { stopOnSignals } from '../frame/stop-signals.ts';
import { jsonText, printable } from '../frame/terminal-text.ts';
import { usageError } from '../frame/usage-error.ts';
import { createDenialFold, type DenialFold } from './denial-fold.ts';
import { denialLine, type ShownDenial, shownAlone } from './denial-line.ts';
import { type Denial, denialsAnswer, type Uncovered } from './service-answers.ts';
import { SERVICE_AWAY } from './service-away.ts';
import { openService, type ServiceClient, serviceExits, serviceOptions } from './service-client.ts';

const pollIntervalMs = 1_000;
const foldHoldMs = 5_000;
const pageLimit = 1_000;
const defaultLimit = 100;

export const denials: Command = {
  name: 'denials',
  summary: 'List denials, newest last, and watch for more.',
  help: {
    examples: [
      { line: 'edgeward denials --follow', says: 'The last ones, then each as it happens, until Ctrl-C.' },
      { line: 'edgeward denials --since 10m --object order-front --json', says: 'One JSON document per line.' },
    ],
    usage: [
      '[--follow] [--since 10m] [--point P] [--object O] [--source IP] [--limit 100] [--config FILE] [--timeout 5s] [--json]',
    ],
    about: [
      'Times are UTC. A denial at an object in observe says WOULD DENY: the traffic passed.',
      'A host adds up equal denials of ten seconds; what it counted and has no record of is told by number on standard error.',
      'With --follow equal denials are folded into one line that says how many; --json never folds.',
    ],
    exits: { 0: 'done, also when --follow is ended by Ctrl-C', ...serviceExits },
  },
  args: [],
  options: {
    follow: { type: 'boolean', says: 'Go on with new ones; waits for the service where it goes away.' },
    since: { type: 'string', value: 'TIME', says: 'All of the last 90s, 10m, 2h or 1d.' },
    limit: {
      type: 'string',
      value: 'N',
      says: `Without --since: at most so many, 1 to 10000; ${defaultLimit} if not given.`,
    },
    point: { type: 'string', value: 'P', says: 'Only those of this point.' },
    object: { type: 'string', value: 'O', says: 'Only those of this protected object.' },
    source: { type: 'string', value: 'IP', says: 'Only those from this address.' },
    ...serviceOptions,
  },
  run: runDenials,
};

/** Where we are in the list, and how to ask on. */
interface Reading {
  service: ServiceClient;
  query: Record<string, string | number | undefined>;
  after: number | null;
  stop: AbortSignal;
}

interface Page {
  denials: Denial[];
  uncovered: Uncovered[];
  raw: unknown[];
  /** There may be more at once. */
  full: boolean;
}

async function runDenials(context: Context): Promise<ExitCode> {
  const sinceMs = durationOption(context, 'since', 'denials');
  const limit = limitOf(context);
  const service = await openService(context, 'denials');
  const { text, out, flag } = context;
  const query = {
    sinceMs: sinceMs === undefined ? undefined : context.now() - sinceMs,
    limit: sinceMs === undefined ? limit : pageLimit,
    point: text('point'),
    object: text('object'),
    source: text('source'),
  };
  const signals = flag('follow') ? stopOnSignals() : null;
  const stop = signals === null ? out.gone : AbortSignal.any([out.gone, signals.stop]);
  const reading: Reading = { service, query, after: null, stop };
  try {
    await printKnown(context, reading, sinceMs !== undefined);
    if (flag('follow')) await follow(context, reading);
  } catch (thrown) {
    // An answer that was cut short by Ctrl-C is no failure.
    if (!stop.aborted) throw thrown;
  } finally {
    signals?.release();
  }
  return 0;
}

function limitOf(context: Context): number {
  const given = context.text('limit');
  if (given === undefined) return defaultLimit;
  const limit = /^\d{1,5}$/.test(given) ? Number(given) : 0;
  if (limit < 1 || limit > 10_000) throw usageError(`--limit: '${given}' is not within 1 to 10000`, 'denials');
  if (context.flag('since')) throw usageError("--limit and --since can't be given together", 'denials');
  return limit;
}

async function nextPage(reading: Reading): Promise<Page> {
  const query: Reading['query'] = { ...reading.query, after: reading.after ?? undefined };
  const { raw, value } = await reading.service.ask({
    path: '/v1/denials',
    query,
    answer: denialsAnswer,
    signal: reading.stop,
  });
  reading.after = value.after ?? reading.after;
  const found = (raw as { denials: unknown[] }).denials;
  return { ...value, raw: found, full: found.length >= Number(query.limit) };
}

/** Without --since the service gives the newest at once; with it, all of them, page by page. */
async function printKnown(context: Context, reading: Reading, all: boolean): Promise<void> {
  let page = await nextPage(reading);
  const { uncovered } = page;
  await printPage(context, page);
  while (all && page.full && !reading.stop.aborted) {
    page = await nextPage(reading);
    await printPage(context, page);
  }
  const { object, source } = reading.query;
  // What nothing is known of is none of an object or of an address.
  if (object === undefined && source === undefined) await sayUncovered(context, uncovered);
}

/** Also with --json: its lines are denials and nothing else. */
async function sayUncovered({ err }: Context, uncovered: readonly Uncovered[]): Promise<void> {
  for (const point of new Set(uncovered.map((it) => it.point))) {
    const own = uncovered.filter((it) => it.point === point);
    const count = own.reduce((sum, it) => sum + it.count, 0);
    const causes = own.map((it) => `${it.cause} ${it.count}`).join(', ');
    await err.write(`${printable(`${point}: ${count} more were counted and have no record (${causes})`)}\n`);
  }
}

async function printPage(context: Context, page: Page): Promise<void> {
  if (context.json) await context.out.write(page.raw.map((denial) => `${jsonText(denial)}\n`).join(''));
  else await printLines(context, page.denials.map(shownAlone));
}

async function printLines({ out, paint, now }: Context, shown: readonly ShownDenial[]): Promise<void> {
  await out.write(shown.map((it) => denialLine(it, now(), paint)).join(''));
}

async function follow(context: Context, reading: Reading): Promise<void> {
  const fold = createDenialFold(context.out.rows, foldHoldMs);
  // Where there is none yet, every one from now on is new.
  reading.after ??= 0;
  reading.query.limit = pageLimit;
  let lost = false;
  while (!reading.stop.aborted) {
    const page = await nextPage(reading).catch((thrown: unknown) => codedError(thrown));
    if (reading.stop.aborted) break;
    if (!('denials' in page)) await sayLost(context, page, { passing: SERVICE_AWAY, known: lost });
    else await printNew(context, fold, page);
    lost = !('denials' in page);
    if (lost || ('full' in page && !page.full)) await pause(reading.stop);
  }
  if (!context.json) await printLines(context, fold.rest());
}

async function printNew(context: Context, fold: DenialFold, page: Page): Promise<void> {
  if (context.json) return await printPage(context, page);
  const shown = fold.add(page.denials, context.now());
  await printLines(context, [...shown, ...fold.due(context.now())]);
}

async function pause(stop: AbortSignal): Promise<void> {
  await sleep(pollIntervalMs, undefined, { signal: stop }).catch(() => {}); // stopped: nothing to wait for
}
