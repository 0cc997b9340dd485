/** Events, their sums and what could not be read, written within the transaction of whoever calls. */
import type { DatabaseSync } from 'node:sqlite';
import type { DenyEvent } from '../../deny-event.ts';
import type { LogBatchToStore, StoredDenial } from '../ledger.ts';
import { rollable } from '../rollups.ts';
import { type LedgerSums, mostCounted, type Total, totalsOf } from '../sums.ts';
import type { DayFiles } from './day-files.ts';
import type { RollupTables } from './rollup-tables.ts';

/** Of each point. */
const maxQuarantined = 100;

type Given = Omit<LogBatchToStore, 'cursors'>;
type Sums = Pick<LedgerSums, 'totals' | 'unparsed' | 'losses'>;

export interface EventWriter {
  /** Within a transaction. `sums` are the rows that it changed, as they are since then. */
  write(batch: Given): { stored: StoredDenial[]; sums: Sums };
  /** The transaction came to nothing. */
  forget(): void;
  sums(): Sums;
  /** Within a transaction: deletes at most `maxRows` losses that were stored before that instant; sums stay. */
  prune(beforeMs: number, maxRows: number): number;
}

export function eventWriter(
  db: DatabaseSync,
  days: Pick<DayFiles, 'write'>,
  rollups: Pick<RollupTables, 'add' | 'forget'>,
): EventWriter {
  const totals = totalRows(db);
  const unread = unreadRows(db);

  function write(batch: Given): { stored: StoredDenial[]; sums: Sums } {
    const { events, storedMs } = batch;
    const stored = days.write(events, storedMs);
    rollups.add(rollable(events, storedMs));
    return { stored, sums: { totals: totals.add(events), ...unread.add(batch) } };
  }
  const sums = (): Sums => ({ totals: totals.all(), ...unread.all() });
  return { write, forget: rollups.forget, sums, prune: unread.prune };
}

function totalRows(db: DatabaseSync): { add(events: readonly DenyEvent[]): Total[]; all(): Total[] } {
  const returned = 'point, object, reason, verdict, count, last_ms AS lastMs';
  const add = db.prepare(`INSERT INTO totals VALUES (:point, :object, :reason, :verdict, :count, :lastMs)
    ON CONFLICT DO UPDATE SET count = min(${mostCounted}, count + :count), last_ms = max(last_ms, :lastMs)
    RETURNING ${returned}`);
  const all = db.prepare(`SELECT ${returned} FROM totals`);
  return {
    add: (events) => totalsOf(events).map((sum) => ({ ...add.get({ ...sum }) }) as unknown as Total),
    all: () => all.all().map((row) => ({ ...row }) as unknown as Total),
  };
}

type Unread = Omit<Sums, 'totals'>;

/** What could not be read of a log, and what may have been lost of it. */
function unreadRows(db: DatabaseSync): { add(batch: Given): Unread; all(): Unread; prune: EventWriter['prune'] } {
  const addUnparsed = db.prepare('INSERT INTO unparsed VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1');
  const addSample = db.prepare('INSERT INTO quarantine (stored_ms, point, log, cause, sample) VALUES (?, ?, ?, ?, ?)');
  const trimSamples = db.prepare(
    `DELETE FROM quarantine WHERE point = :point AND id <=
      (SELECT id FROM quarantine WHERE point = :point ORDER BY id DESC LIMIT 1 OFFSET ${maxQuarantined})`,
  );
  const addLoss = db.prepare(
    'INSERT INTO losses (stored_ms, point, log, cause, inode, offset) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const addLossTotal = db.prepare(
    'INSERT INTO loss_totals VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
  );
  const prune = db.prepare(
    'DELETE FROM losses WHERE id IN (SELECT id FROM losses WHERE stored_ms < :beforeMs ORDER BY id LIMIT :maxRows)',
  );
  const ofPoint = 'WHERE :point IS NULL OR point = :point';
  const unparsedOf = db.prepare(`SELECT point, cause, count FROM unparsed ${ofPoint}`);
  const lossesOf = db.prepare(`SELECT point, cause, count FROM loss_totals ${ofPoint}`);
  const read = <Row>(of: typeof lossesOf, point: string | null): Row[] =>
    of.all({ point }).map((row) => ({ ...row }) as Row);
  return {
    add({ point, log, storedMs, unparsed, losses }) {
      for (const { cause, sample } of unparsed) {
        addUnparsed.run(point, cause);
        addSample.run(storedMs, point, log, cause, sample);
      }
      if (unparsed.length > 0) trimSamples.run({ point });
      for (const { cause, inode, offset } of losses) {
        addLoss.run(storedMs, point, log, cause, inode, offset);
        addLossTotal.run(point, cause);
      }
      return {
        unparsed: unparsed.length > 0 ? read(unparsedOf, point) : [],
        losses: losses.length > 0 ? read(lossesOf, point) : [],
      };
    },
    all: () => ({ unparsed: read(unparsedOf, null), losses: read(lossesOf, null) }),
    prune: (beforeMs, maxRows) => Number(prune.run({ beforeMs, maxRows }).changes),
  };
}
