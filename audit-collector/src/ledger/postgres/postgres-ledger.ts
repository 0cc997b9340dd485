/**
 * The ledger in PostgreSQL, for teams: what `edgeward denials` reads, dashboards read too (`views`). One connection writes,
 * and others read, so that neither waits for the other. A server that is away rejects what is asked meanwhile; what is asked
 * next finds it again, and the sums in memory are read anew, because a commit may have been done whose answer was lost.
 */
import type { Ledger } from '../ledger.ts';
import type { LedgerLife } from '../lives.ts';
import { checkSearch } from '../search.ts';
import { type LedgerSums, sumsInMemory, type Total } from '../sums.ts';
import { connectionsTo, type PostgresAccess } from './access.ts';
import { enforcedTotals } from './enforced-counters.ts';
import { denialsBy, pageOf } from './event-search.ts';
import { lossSums, readTotal, totalColumns, unparsedSums } from './event-writer.ts';
import { ledgerWrites } from './ledger-writes.ts';
import { cursorsOf } from './log-cursors.ts';
import { newestGaps, sequenceTotals } from './number-sequences.ts';
import { openLedgerIn } from './opening.ts';
import { openedBy } from './patience.ts';
import { edgesOf, hoursOf, minutesOf } from './rollup-search.ts';
import { type Asking, type Session, sessionOf } from './session.ts';
import { readText } from './stored-text.ts';
import { uncoveredSince, uncoveredSums } from './uncovered-denials.ts';

const writing = { statementMs: 30_000, lockMs: 2_000, readOnly: false };
const reading = { statementMs: 20_000, lockMs: 5_000, readOnly: true };

/**
 * Rejects with EDW_ERR_LEDGER_…, EDW_ERR_SECRET_FILE and EDW_ERR_CA_FILE. A server that is away is waited for in the
 * background: what is asked meanwhile is rejected, and nothing else waits for it.
 */
export async function openPostgresLedger(access: PostgresAccess): Promise<Ledger> {
  const place = `the ledger in ${access.database} on ${access.host}`;
  let lives: readonly LedgerLife[] = [];
  let sums = sumsInMemory(nothing);
  const writer = sessionOf(await connectionsTo(access, writing, 1), 'ledger writer', async (asking) => {
    const opened = await openLedgerIn(asking, access, sumsOf);
    lives = opened.lives;
    sums = sumsInMemory(opened.found);
  });
  const opening = openedBy(() => writer.inTransaction(`opening ${place}`, 'BEGIN', async () => {}));
  try {
    await opening.first;
  } catch (thrown) {
    opening.end();
    await writer.close();
    throw thrown;
  }
  const others = await readersOf(access);
  const read = async <Result>(run: (asking: Asking) => Promise<Result>): Promise<Result> => {
    // Whoever was answered knows whose answer it was.
    if (lives.length === 0) await writer.inTransaction(`opening ${place}`, 'BEGIN', async () => {});
    return leastAsked(others).inTransaction(`reading ${place}`, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', run);
  };
  return {
    get epoch() {
      return lives.at(-1)?.epoch ?? '';
    },
    lives: () => lives,
    opened: () => opening.done,
    ...ledgerWrites(writer, (changed) => sums.put(changed)),
    sums: () => sums.read(),
    readSums: async () => sumsInMemory(await read(sumsOf)).read(),
    cursors: (point, log) => read((asking) => cursorsOf(asking, point, log)),
    denials: (query) => read((asking) => denialsBy(asking, query)),
    search: async (search) => {
      const checked = checkSearch(search);
      return read((asking) => pageOf(asking, checked));
    },
    byRef: async (ref) => (await read((asking) => denialsBy(asking, { ref, limit: 1, newest: true })))[0] ?? null,
    byId: async (id) => (await read((asking) => denialsBy(asking, { id, limit: 1 })))[0] ?? null,
    uncovered: (query) => read((asking) => uncoveredSince(asking, query)),
    gaps: (point) => read((asking) => newestGaps(asking, 'tmm', point)),
    spoolGaps: (point) => read((asking) => newestGaps(asking, 'spool', point)),
    quarantined: () => read(quarantinedIn),
    minutes: (query) => read((asking) => minutesOf(asking, query)),
    hours: (query) => read((asking) => hoursOf(asking, query)),
    edges: (query) => read((asking) => edgesOf(asking, query)),
    async close() {
      opening.end();
      await Promise.all([writer, ...others].map((session) => session.close()));
    },
  };
}

type Readers = readonly [Session, ...Session[]];

/** A search may take seconds, while somebody else wants one line. Each connects when it is asked first. */
async function readersOf(access: PostgresAccess): Promise<Readers> {
  const reader = async (): Promise<Session> => sessionOf(await connectionsTo(access, reading, 1), 'ledger reader');
  return [await reader(), await reader()];
}

const leastAsked = (sessions: Readers): Session =>
  sessions.reduce((least, session) => (session.waiting() < least.waiting() ? session : least));

const nothing: LedgerSums = {
  totals: [],
  unparsed: [],
  losses: [],
  sequences: [],
  spools: [],
  uncovered: [],
  enforced: [],
};

async function sumsOf(asking: Asking): Promise<LedgerSums> {
  const totals = await asking.rows<Total>(`SELECT ${totalColumns} FROM totals`);
  return {
    totals: totals.map(readTotal),
    unparsed: await unparsedSums(asking, null),
    losses: await lossSums(asking, null),
    sequences: await sequenceTotals(asking, 'tmm', null),
    spools: await sequenceTotals(asking, 'spool', null),
    uncovered: await uncoveredSums(asking, null),
    enforced: await enforcedTotals(asking, null),
  };
}

async function quarantinedIn(asking: Asking): ReturnType<Ledger['quarantined']> {
  const found = await asking.rows<Awaited<ReturnType<Ledger['quarantined']>>[number]>(
    'SELECT point, cause, sample FROM quarantine ORDER BY id',
  );
  return found.map((line) => ({ ...line, point: readText(line.point), sample: readText(line.sample) }));
}
