/** `edgeward store log`: the record of attempts, oldest first; with --follow the ones to come as well. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sayLost } from '../../frame/absence.ts';
import type { Command, Context } from '../../frame/command.ts';
import { codedError, type ExitCode } from '../../frame/exit-codes.ts';
import { wholeNumber } from '../../frame/option-values.ts';
import { stopOnSignals } from '../../frame/stop-signals.ts';
import { jsonText, type Paint, printable } from '../../frame/terminal-text.ts';
import { STORE_AWAY } from '../client/store-away.ts';
import type { StoreClient } from '../client/store-client.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { distrust } from '../trust/distrust.ts';
import { createRecordChain, type RecordChain, type ShownEntry } from './record-chain.ts';

export const log: Command = {
  name: 'store log',
  summary: 'Show the record of attempts.',
  help: {
    examples: [
      { line: 'edgeward store log --after 4100', says: 'What was tried since, by whom, and what became of it.' },
      { line: 'edgeward store log --follow', says: 'The newest ones, then each as it happens, until Ctrl-C.' },
    ],
    usage: [`[--after N] [--follow] [--limit N] ${storeUsage} [--json]`],
    about: [
      'For auditors. Without --after the newest entries. Each has to follow the one before by its hash; one that does not ends the command. `store verify` looks at all of them.',
      'JSON: one entry a line: {seq, at, actor, by, action, target, outcome, digest?, code?, reason?, revision?, prev}.',
    ],
    exits: { ...storeExits, 0: 'done, also when --follow is ended by Ctrl-C', 3: 'entries do not follow one another' },
  },
  args: [],
  options: {
    after: { type: 'string', value: 'N', says: 'Entries after this number; 0 for all.' },
    follow: { type: 'boolean', says: 'Go on with new ones; waits for the store where it goes away.' },
    limit: { type: 'string', value: 'N', says: 'Without --after: so many of the newest, 50.' },
    ...storeOptions,
  },
  run: runLog,
};

const PAGE = 1_000;
const POLL_MS = 1_000;

interface Reading {
  client: StoreClient;
  chain: RecordChain;
  stop: AbortSignal;
}

async function runLog(context: Context): Promise<ExitCode> {
  const { client } = await openSession(context, 'store log');
  const after = await beginning(context, client);
  const follows = context.flag('follow');
  const signals = follows ? stopOnSignals() : null;
  const stop = signals === null ? context.out.gone : AbortSignal.any([context.out.gone, signals.stop]);
  const reading = { client, chain: createRecordChain(after), stop };
  try {
    await printKnown(context, reading);
    if (follows) await follow(context, reading);
  } catch (thrown) {
    // An answer that was cut short by Ctrl-C is no failure.
    if (!stop.aborted) throw thrown;
  } finally {
    signals?.release();
  }
  return 0;
}

async function beginning(context: Context, client: StoreClient): Promise<number> {
  if (context.flag('after')) return wholeNumber(context, 'after', 0, 'store log');
  const limit = wholeNumber(context, 'limit', 50, 'store log');
  return Math.max(0, (await client.checkpoint()).size - limit);
}

async function printKnown(context: Context, reading: Reading): Promise<void> {
  while (!reading.stop.aborted) {
    const lines = await reading.client.record(reading.chain.size(), PAGE);
    for (const line of lines) await printEntry(context, reading.chain, line);
    if (lines.length < PAGE) return;
  }
}

async function printEntry({ out, json, paint }: Context, chain: RecordChain, line: string): Promise<void> {
  const { entry, problem } = chain.take(line);
  if (problem !== null || entry === null)
    throw distrust('EDW_ERR_STORE_TAMPERED', `reading the record of attempts: ${problem}`);
  await out.write(json ? `${jsonText(entry)}\n` : entryText(entry, paint));
}

async function follow(context: Context, reading: Reading): Promise<void> {
  let lost = false;
  while (!reading.stop.aborted) {
    await sleep(POLL_MS, undefined, { signal: reading.stop }).catch(() => {}); // stopped: nothing to wait for
    if (reading.stop.aborted) return;
    try {
      await printKnown(context, reading);
      lost = false;
    } catch (thrown) {
      await sayLost(context, codedError(thrown), { passing: STORE_AWAY, known: lost });
      lost = true;
    }
  }
}

function entryText(entry: ShownEntry, paint: Paint): string {
  const { seq, at, actor, by, action, target, outcome, code, reason } = entry;
  const tone =
    outcome === 'refused' || outcome === 'failed' ? paint.bad : outcome === 'allowed' ? paint.good : paint.dim;
  const why = [code, reason].filter((it) => it !== undefined).join(': ');
  const who = `${actor} (${by})`;
  return `${seq}  ${printable(at)}  ${tone(printable(outcome))}  ${printable(`${action}  ${target}  ${who}${why === '' ? '' : `  ${why}`}`)}\n`;
}
