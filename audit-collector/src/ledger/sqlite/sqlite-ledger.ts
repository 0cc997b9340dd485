/**
 * The ledger in SQLite, for everybody else: what `ledger-file` does, with the sums in memory. One thread writes and another
 * one reads, so that neither a search nor a long commit holds the other up, or anybody here.
 */
import type { EdgewardError } from '@edgeward/runtime';
import type { Ledger } from '../ledger.ts';
import { sumsInMemory } from '../sums.ts';
import type { DatabaseOptions } from './database.ts';
import type { Committed } from './ledger-file.ts';
import { type LedgerHost, ledgerHere } from './ledger-host.ts';
import { ledgerInThread } from './threaded-ledger.ts';

export interface SqliteLedgerOptions extends DatabaseOptions {
  /** The events of a day can't be read or written: EDW_ERR_LEDGER_DAY, once for each file. Nothing else is lost. */
  onDayLost?: ((error: EdgewardError) => void) | undefined;
}

/** Rejects with EDW_ERR_LEDGER_…. */
export async function openLedger({ onDayLost, ...options }: SqliteLedgerOptions): Promise<Ledger> {
  const told = tellOnce(onDayLost);
  const writer = await ledgerInThread(options, 'ledger writer', told);
  return ledgerBy(
    writer,
    whenAsked(() => ledgerInThread(options, 'ledger reader', told)),
  );
}

/** In this thread, which waits: for what opens a ledger for a moment. */
export async function openLedgerHere({ onDayLost, ...options }: SqliteLedgerOptions): Promise<Ledger> {
  const here = await ledgerHere(options, tellOnce(onDayLost));
  return ledgerBy(here, here);
}

/** Opened by whoever asks first: a service that nobody asks saves a thread. */
function whenAsked(open: () => Promise<LedgerHost>): LedgerHost {
  let opened: Promise<LedgerHost> | null = null;
  return {
    async ask(method, ...args) {
      opened ??= open().catch((thrown: unknown) => {
        opened = null;
        throw thrown;
      });
      return (await opened).ask(method, ...args);
    },
    async close() {
      await (await opened)?.close();
    },
  };
}

function tellOnce(onDayLost: SqliteLedgerOptions['onDayLost']): (lost: readonly EdgewardError[]) => void {
  const told = new Set<string>();
  return (lost) => {
    for (const error of lost) {
      if (told.has(error.message)) continue;
      told.add(error.message);
      onDayLost?.(error);
    }
  };
}

async function ledgerBy(writer: LedgerHost, reader: LedgerHost): Promise<Ledger> {
  const sums = sumsInMemory(await writer.ask('readSums'));
  const committed = async <Result>(asked: Promise<Committed<Result>>): Promise<Result> => {
    const { result, sums: changed } = await asked;
    sums.put(changed);
    return result;
  };
  const lives = await writer.ask('lives');
  return {
    epoch: lives.at(-1)?.epoch ?? '',
    lives: () => lives,
    opened: async () => {},
    store: (batch) => committed(writer.ask('store', batch)),
    storeNumbered: (batch) => committed(writer.ask('storeNumbered', batch)),
    storeSpooled: (batch) => committed(writer.ask('storeSpooled', batch)),
    observeEnforced: async (...counts) => void (await committed(writer.ask('observeEnforced', ...counts))),
    settle: (settling) => committed(writer.ask('settle', settling)),
    sums: sums.read,
    readSums: () => reader.ask('readSums'),
    cursors: (point, log) => writer.ask('cursors', point, log),
    denials: (query) => reader.ask('denials', query),
    search: (search) => reader.ask('search', search),
    byRef: async (ref) => (await reader.ask('denials', { ref, limit: 1, newest: true }))[0] ?? null,
    byId: async (id) => (await reader.ask('denials', { id, limit: 1 }))[0] ?? null,
    uncovered: (query) => reader.ask('uncovered', query),
    gaps: (point) => reader.ask('gaps', point),
    spoolGaps: (point) => reader.ask('spoolGaps', point),
    minutes: (query) => reader.ask('minutes', query),
    hours: (query) => reader.ask('hours', query),
    edges: (query) => reader.ask('edges', query),
    quarantined: () => reader.ask('quarantined'),
    prune: (retention, maxRows) => writer.ask('prune', retention, maxRows),
    async close() {
      await Promise.all([writer.close(), reader.close().catch(() => {})]);
    },
  };
}
