/**
 * Denials that a point counted and has no record of: a number for a window and a cause. They are kept beside the events,
 * so that what a point observed is what is stored and what is uncovered, and what still waits at the point.
 */
import type { DatabaseSync } from 'node:sqlite';
import { type GapCause, type HostGap, windowOf } from '../../host-record.ts';
import type { Uncovered, UncoveredQuery } from '../ledger.ts';
import { type CauseCount, mostCounted } from '../sums.ts';

type UncoveredTotal = CauseCount<GapCause>;

export interface UncoveredDenials {
  /** Within a transaction. */
  add(point: string, gap: Omit<HostGap, 'seq' | 'kind'>, storedMs: number): void;
  /** Within a transaction: of the newest windows, as far as retention left them, and of the sum. */
  takeBack(point: string, cause: GapCause, count: number): void;
  /** Of one point, or of all, over all time, also what retention has deleted. */
  totals(point: string | null): UncoveredTotal[];
  /** By point and cause, of the windows that ended since then. */
  since(query: UncoveredQuery): Uncovered[];
  /** Deletes at most `maxRows` stored before that instant; sums stay. */
  prune(beforeMs: number, maxRows: number): number;
}

export function uncoveredDenials(db: DatabaseSync): UncoveredDenials {
  const insert = db.prepare(`INSERT INTO uncovered (stored_ms, point, window_start_ms, window_end_ms, cause, count)
    VALUES (:storedMs, :point, :startMs, :endMs, :cause, :count)`);
  const addTotal = db.prepare(`INSERT INTO uncovered_totals VALUES (:point, :cause, :count)
    ON CONFLICT DO UPDATE SET count = min(${mostCounted}, count + :count)`);
  const newest = db.prepare('SELECT id, count FROM uncovered WHERE point = :point AND cause = :cause ORDER BY id DESC');
  const less = db.prepare('UPDATE uncovered SET count = count - :count WHERE id = :id');
  const drop = db.prepare('DELETE FROM uncovered WHERE id = ?');
  const takeTotal = db.prepare(
    'UPDATE uncovered_totals SET count = count - :count WHERE point = :point AND cause = :cause',
  );
  const totals = db.prepare('SELECT point, cause, count FROM uncovered_totals WHERE :point IS NULL OR point = :point');
  const since =
    db.prepare(`SELECT point, cause, cast(min(${mostCounted}, total(count)) AS INTEGER) AS count, min(window_start_ms) AS startMs,
      max(window_end_ms) AS endMs FROM uncovered
    WHERE window_end_ms >= :sinceMs AND (:point IS NULL OR point = :point) GROUP BY point, cause ORDER BY point, cause`);
  const prune = db.prepare(`DELETE FROM uncovered WHERE id IN
    (SELECT id FROM uncovered WHERE stored_ms < :beforeMs ORDER BY id LIMIT :maxRows)`);
  return {
    add(point, gap, storedMs) {
      const { windowStart, windowEnd } = windowOf(gap);
      const { cause, count } = gap;
      const [startMs, endMs] = [Date.parse(windowStart), Date.parse(windowEnd)];
      insert.run({ storedMs, point, startMs, endMs, cause, count });
      addTotal.run({ point, cause, count });
    },
    takeBack(point, cause, count) {
      let left = count;
      for (const row of newest.all({ point, cause }) as { id: number; count: number }[]) {
        if (left <= 0) break;
        if (row.count > left) less.run({ id: row.id, count: left });
        else drop.run(row.id);
        left -= row.count;
      }
      takeTotal.run({ point, cause, count });
    },
    totals: (point) => totals.all({ point }).map((row) => ({ ...row }) as unknown as UncoveredTotal),
    since({ sinceMs = 0, point }) {
      const rows = since.all({ sinceMs, point: point ?? null }) as unknown as (UncoveredTotal & {
        startMs: number;
        endMs: number;
      })[];
      return rows.map(({ startMs, endMs, ...total }) => ({
        ...total,
        windowStart: new Date(startMs).toISOString(),
        windowEnd: new Date(endMs).toISOString(),
      }));
    },
    prune: (beforeMs, maxRows) => Number(prune.run({ beforeMs, maxRows }).changes),
  };
}
