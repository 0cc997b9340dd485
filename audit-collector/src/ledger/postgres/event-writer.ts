/** Events, their sums and what could not be read, written within the transaction of whoever calls. */
import type { Loss, Unparsed } from '@edgeward/deny-log';
import type { DenyEvent } from '../../deny-event.ts';
import type { LogBatchToStore, StoredDenial } from '../ledger.ts';
import { rollable } from '../rollups.ts';
import { type LedgerSums, mostCounted, type Total, totalsOf } from '../sums.ts';
import { ensureDay } from './day-tables.ts';
import { columnsOf as eventColumns, insertEvents, msOf, storedEvent, timeOf } from './event-rows.ts';
import { interning } from './interned.ts';
import { type RollupState, rollupWriter } from './rollup-tables.ts';
import { columnsOf } from './rollup-terms.ts';
import type { Asking } from './session.ts';
import { readText, storedName, storedText } from './stored-text.ts';

/** Of each point. */
const maxQuarantined = 100;
/** More than these are not in one statement, which is held in memory on both sides. */
const maxInserted = 2_000;

type Given = Omit<LogBatchToStore, 'cursors'>;
type Sums = Pick<LedgerSums, 'totals' | 'unparsed' | 'losses'>;

/** What the ledger says of itself, as the transaction found it. */
export interface LedgerState extends RollupState {
  lastId: number;
}

export interface EventWriter {
  /** Within a transaction that holds the state. `sums` are the rows that it changed, as they are since then. */
  write(asking: Asking, batch: Given, state: LedgerState): Promise<{ stored: StoredDenial[]; sums: Sums }>;
  /** The transaction came to nothing. */
  forget(): void;
}

export function eventWriter(): EventWriter {
  const interned = interning();
  const rollups = rollupWriter();
  let terms: number | null = null;

  async function add(
    asking: Asking,
    events: readonly DenyEvent[],
    storedMs: number,
    state: LedgerState,
  ): Promise<void> {
    if (terms !== state.terms) interned.forget();
    const day = dayOf(storedMs);
    const times = events.map(({ time }) => Date.parse(time));
    await ensureDay(asking, day, { firstId: state.lastId + 1, lastId: state.lastId + events.length, times });
    const numbers = await interned.ofDay(asking, events, day);
    for (let from = 0; from < events.length; from += maxInserted) {
      const some = events.slice(from, from + maxInserted);
      await asking.rows(insertEvents, [state.lastId + 1 + from, storedMs, ...eventColumns(some, numbers)]);
    }
    const next = await rollups.add(asking, rollable(events, storedMs), state);
    terms = next.terms;
    await asking.rows('UPDATE state SET last_id = $1, terms = $2, edges = $3', [
      state.lastId + events.length,
      next.terms,
      next.edges,
    ]);
  }

  return {
    async write(asking, batch, state) {
      const events = batch.events.map(storedEvent);
      if (events.length > 0) await add(asking, events, batch.storedMs, state);
      const stored = batch.events.map((event, place) => ({ id: state.lastId + 1 + place, event }));
      return { stored, sums: { totals: await addTotals(asking, events), ...(await addUnread(asking, batch)) } };
    },
    forget() {
      terms = null;
      rollups.forget();
    },
  };
}

const dayOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10);

export const totalColumns: string = `point, object, reason, verdict, count, ${msOf('last_at')} AS "lastMs"`;

async function addTotals(asking: Asking, events: readonly DenyEvent[]): Promise<Total[]> {
  const totals = totalsOf(
    events.map((event) => ({ ...event, point: storedName(event.point), object: storedName(event.object) })),
  );
  if (totals.length === 0) return [];
  const found = await asking.rows<Total>(
    `INSERT INTO totals AS kept (point, object, reason, verdict, count, last_at)
    SELECT point, object, reason, verdict, count, ${timeOf('last')}
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::float8[])
      AS given (point, object, reason, verdict, count, last)
    ON CONFLICT (point, object, reason, verdict) DO UPDATE
    SET count = least(${mostCounted}, kept.count + excluded.count), last_at = greatest(kept.last_at, excluded.last_at)
    RETURNING ${totalColumns}`,
    columnsOf(totals, ['point', 'object', 'reason', 'verdict', 'count', 'lastMs']),
  );
  return found.map(readTotal);
}

export const readTotal = (total: Total): Total => ({
  ...total,
  point: readText(total.point),
  object: readText(total.object),
});

/** What could not be read of a log, and what may have been lost of it. */
async function addUnread(
  asking: Asking,
  { point, log, storedMs, unparsed, losses }: Given,
): Promise<Omit<Sums, 'totals'>> {
  const of = [storedName(storedText(point)), storedText(log), storedMs];
  if (unparsed.length > 0) await quarantine(asking, of, unparsed);
  if (losses.length > 0) {
    await asking.rows(
      `INSERT INTO losses (point, log, stored_at, cause, inode, "offset")
      SELECT $1, $2, ${timeOf('$3')}, cause, inode, place
      FROM unnest($4::text[], $5::text[], $6::bigint[]) AS given (cause, inode, place)`,
      [...of, ...columnsOf<Loss>(losses, ['cause', 'inode', 'offset'])],
    );
    await addByCause(asking, 'loss_totals', of[0], losses);
  }
  return {
    unparsed: unparsed.length > 0 ? await unparsedSums(asking, point) : [],
    losses: losses.length > 0 ? await lossSums(asking, point) : [],
  };
}

function addByCause(
  asking: Asking,
  table: 'unparsed' | 'loss_totals',
  point: unknown,
  found: readonly { cause: string }[],
): Promise<object[]> {
  return asking.rows(
    `INSERT INTO ${table} AS kept (point, cause, count)
    SELECT $1, cause, count(*) FROM unnest($2::text[]) AS given (cause) GROUP BY cause
    ON CONFLICT (point, cause) DO UPDATE SET count = kept.count + excluded.count`,
    [point, found.map(({ cause }) => cause)],
  );
}

async function quarantine(asking: Asking, of: unknown[], unparsed: readonly Unparsed[]): Promise<void> {
  await addByCause(asking, 'unparsed', of[0], unparsed);
  const last = unparsed.slice(-maxQuarantined).map(({ cause, sample }) => ({ cause, sample: storedText(sample) }));
  await asking.rows(
    `INSERT INTO quarantine (point, log, stored_at, cause, sample)
    SELECT $1, $2, ${timeOf('$3')}, cause, sample
    FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS given (cause, sample, place) ORDER BY place`,
    [...of, ...columnsOf(last, ['cause', 'sample'])],
  );
  await asking.rows(
    `DELETE FROM quarantine WHERE point = $1
    AND id <= (SELECT id FROM quarantine WHERE point = $1 ORDER BY id DESC OFFSET ${maxQuarantined} LIMIT 1)`,
    [of[0]],
  );
}

const ofPoint = '$1::text IS NULL OR point = $1';
type CauseRow = { point: string; cause: never; count: number };

/** Of one point, or of all. */
export const unparsedSums = (asking: Asking, point: string | null): Promise<LedgerSums['unparsed']> =>
  byCause(asking, `SELECT point, cause, count FROM unparsed WHERE ${ofPoint}`, point);
export const lossSums = (asking: Asking, point: string | null): Promise<LedgerSums['losses']> =>
  byCause(asking, `SELECT point, cause, count FROM loss_totals WHERE ${ofPoint}`, point);

export async function byCause(asking: Asking, sql: string, point: string | null): Promise<CauseRow[]> {
  const found = await asking.rows<CauseRow>(sql, [point === null ? null : storedName(storedText(point))]);
  return found.map((row) => ({ ...row, point: readText(row.point) }));
}
