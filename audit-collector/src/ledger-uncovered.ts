/**
 * Denials that a point counted and has no record of: a number for a window and a cause. They are kept beside the events,
 * so that what a point observed is what is stored and what is uncovered, and what still waits at the point.
 */
import type { DatabaseSync } from 'node:sqlite';
import { type GapCause, type HostGap, windowOf } from './host-record.ts';
import { mostCounted } from './ledger-counters.ts';

export interface UncoveredTotal {
  point: string;
  cause: GapCause;
  count: number;
}

export interface Uncovered extends UncoveredTotal {
  /** ISO times, by the clock of the point. */
  windowStart: string;
  windowEnd: string;
}

export interface UncoveredQuery {
  sinceMs?: number | undefined;
  point?: string | undefined;
}

export interface LedgerUncovered {
  /** Within a transaction. */
  add(point: string, gap: Omit<HostGap, 'seq' | 'kind'>, storedMs: number): void;
  /** Over all time, also what retention has deleted. */
  totals(): UncoveredTotal[];
  /** By point and cause, of the windows that ended since then. */
  since(query: UncoveredQuery): Uncovered[];
  /** Deletes at most `maxRows` stored before that instant; sums stay. */
  prune(beforeMs: number, maxRows: number): number;
}

export function ledgerUncovered(db: DatabaseSync): LedgerUncovered {
  const insert = db.prepare(`INSERT INTO uncovered (stored_ms, point, window_start_ms, window_end_ms, cause, count)
    VALUES (:storedMs, :point, :startMs, :endMs, :cause, :count)`);
  const addTotal = db.prepare(`INSERT INTO uncovered_totals VALUES (:point, :cause, :count)
    ON CONFLICT DO UPDATE SET count = min(${mostCounted}, count + :count)`);
  const totals = db.prepare('SELECT point, cause, count FROM uncovered_totals ORDER BY point, cause');
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
    totals: () => totals.all().map((row) => ({ ...row }) as unknown as UncoveredTotal),
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
