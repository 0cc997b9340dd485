/** `edgeward denials`: deny events, newest last; with --follow the ones to come as well. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sayLost } from '../frame/absence.ts';
import type { Command, Context } from '../frame/command.ts';
import { codedError, type ExitCode } from '../frame/exit-codes.ts';
import { withProgress } from '../frame/progress.ts';
import { stopOnSignals } from '../frame/stop-signals.ts';
import { usageError } from '../frame/usage-error.ts';
import { filterOptions, filtersOf, filtersRecords } from './denial-filters.ts';
import { createDenialFold, type DenialFold } from './denial-fold.ts';
import { type DenialForm, denialForm } from './denial-form.ts';
import { shownAlone } from './denial-line.ts';
import { type DenialReading, denialReading, type KnownDenials } from './denial-reading.ts';
import { createDenialTally, type DenialTally, uncoveredText } from './denial-tally.ts';
import { SERVICE_AWAY } from './service-away.ts';
import { ledgerOptions, openLedgerService, serviceExits } from './service-client.ts';

const pollIntervalMs = 1_000;
const foldHoldMs = 5_000;
const defaultLimit = 100;
/** Whoever has pressed Ctrl-C waits for no service that hangs. */
const partingMs = 2_000;

export const denials: Command = {
  name: 'denials',
  summary: 'List denials, newest last, and watch for more.',
  help: {
    examples: [
      { line: 'edgeward denials --follow', says: 'The last ones, then each as it happens, until Ctrl-C.' },
      {
        line: 'edgeward denials --since 10m --label source.env=dev --object order-front --json',
        says: 'One JSON document per line.',
      },
      { line: 'edgeward denials --since 1d --source 10.30.0.0/16 --csv > denials.csv', says: 'For a spreadsheet.' },
    ],
    usage: [
      '[--follow] [--since 10m] [--until 5m] [--limit 100] [FILTER]... [--json | --csv]',
      '[--config FILE | --url URL --token-file FILE] [--timeout 5s]',
    ],
    about: [
      'A FILTER is one of --point, --object, --source, --label, --rule, --reason, --verdict and --ref; all that are given have to hold.',
      'Times are UTC. A denial at an object in observe says WOULD DENY: the traffic passed.',
      'A host adds up equal denials of ten seconds; what it counted and has no record of is told by number on standard error.',
      'With --follow equal denials are folded into one line that says how many, and Ctrl-C ends with what was denied meanwhile; --json and --csv never fold.',
      'In CSV an apostrophe stands before each `=`, `+`, `-` and `@` that a spreadsheet would take for a formula, and controls are shown as escapes.',
    ],
    exits: { 0: 'done, also when --follow is ended by Ctrl-C', ...serviceExits },
  },
  args: [],
  options: {
    follow: { type: 'boolean', says: 'Go on with new ones; waits for the service where it goes away.' },
    ...filterOptions,
    limit: {
      type: 'string',
      value: 'N',
      says: `Without --since: at most so many, 1 to 10000; ${defaultLimit} if not given.`,
    },
    csv: { type: 'boolean', says: 'Print a table for a spreadsheet, with its heading.' },
    ...ledgerOptions,
  },
  run: runDenials,
};

interface Watching {
  context: Context;
  reading: DenialReading;
  form: DenialForm;
  stop: AbortSignal;
}

async function runDenials(context: Context): Promise<ExitCode> {
  const { out, flag, json } = context;
  const query = filtersOf(context);
  const limit = limitOf(context);
  if (json && flag('csv')) throw usageError("--json and --csv can't be given together", 'denials');
  if (flag('follow') && query.untilMs !== undefined) {
    throw usageError("--follow and --until can't be given together", 'denials');
  }
  const service = await openLedgerService(context, 'denials');
  const signals = flag('follow') ? stopOnSignals() : null;
  const stop = signals === null ? out.gone : AbortSignal.any([out.gone, signals.stop]);
  const watching = { context, reading: denialReading(service, query, stop), form: denialForm(context), stop };
  try {
    await printKnown(watching, query.sinceMs === undefined ? limit : null);
    if (flag('follow')) await follow(watching);
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
  if (context.text('since') !== undefined) {
    throw usageError("--limit and --since can't be given together", 'denials');
  }
  return limit;
}

/** With a limit the newest; without one all of them, as they come. */
async function printKnown({ context, reading, form, stop }: Watching, limit: number | null): Promise<void> {
  const print = (known: KnownDenials): Promise<void> => form.print(known, known.denials.map(shownAlone));
  let uncovered: KnownDenials['uncovered'] = [];
  await form.begin();
  if (limit === null) {
    for await (const known of reading.everyone()) {
      await print(known);
      uncovered = [...uncovered, ...known.uncovered];
    }
  } else {
    const known = await withProgress(
      context.err,
      () => 'looking through the ledger',
      () => reading.newest(limit),
    );
    await print(known);
    ({ uncovered } = known);
  }
  // Also with --json: its lines are denials and nothing else.
  if (!stop.aborted && !filtersRecords(context)) await context.err.write(uncoveredText(uncovered));
}

async function follow(watching: Watching): Promise<void> {
  const { context, reading, form, stop } = watching;
  const fold = createDenialFold(context.out.rows, foldHoldMs);
  const tally = createDenialTally();
  const startMs = context.now();
  let lost = false;
  while (!stop.aborted) {
    const page = await reading.later().catch((thrown: unknown) => codedError(thrown));
    if (stop.aborted) break;
    if ('denials' in page) {
      tally.add(page.denials);
      await printNew(watching, fold, page);
    } else await sayLost(context, page, { passing: SERVICE_AWAY, known: lost });
    lost = !('denials' in page);
    if (lost || ('isAll' in page && page.isAll)) await pause(stop);
  }
  if (!form.folds) return;
  await form.print(null, fold.rest());
  await sayParting(watching, tally, startMs, lost);
}

async function printNew({ context, form }: Watching, fold: DenialFold, page: KnownDenials): Promise<void> {
  if (!form.folds) return await form.print(page, []);
  const shown = fold.add(page.denials, context.now());
  await form.print(page, [...shown, ...fold.due(context.now())]);
}

/** What was denied while somebody watched, and what is known by number alone. */
async function sayParting(
  { context, reading }: Watching,
  tally: DenialTally,
  startMs: number,
  lost: boolean,
): Promise<void> {
  await context.out.write(tally.text(context.now() - startMs));
  if (lost || filtersRecords(context)) return;
  // It can't be had any more: then it is in `edgeward status`.
  const uncovered = await reading.uncoveredSince(startMs, AbortSignal.timeout(partingMs)).catch(() => []);
  await context.out.write(uncoveredText(uncovered));
}

async function pause(stop: AbortSignal): Promise<void> {
  await sleep(pollIntervalMs, undefined, { signal: stop }).catch(() => {}); // stopped: nothing to wait for
}
