/**
 * What the points' own counters say, kept so that it can be compared with what was stored. Such a counter begins anew
 * with each life of its point, so increases are added up over all lives: an epoch names a life; without one, a counter
 * that fell has begun anew. What a point counted between the last reading and its end is not known to anyone.
 */
import type { DatabaseSync } from 'node:sqlite';

/** As large as a count can be and be read back exactly: whatever a point claims, everybody's counts can be read. */
export const mostCounted: number = Number.MAX_SAFE_INTEGER;

export interface EnforcedCount {
  /** What the point calls it. Not its name: under a new name the same running total would be added once more. */
  object: string;
  reason: string;
  /** Denials since the point's counters began, `would-deny` included. */
  count: number;
}

export interface EnforcedTotal extends EnforcedCount {
  point: string;
}

export interface LedgerCounters {
  observe(point: string, counts: readonly EnforcedCount[], epoch: string | null): void;
  totals(): EnforcedTotal[];
}

/** `observe` is called within a transaction. */
export function ledgerCounters(db: DatabaseSync): LedgerCounters {
  const epochOf = db.prepare('SELECT epoch FROM point_epochs WHERE point = ?');
  const setEpoch = db.prepare('INSERT OR REPLACE INTO point_epochs (point, epoch) VALUES (?, ?)');
  const forget = db.prepare('UPDATE enforced SET last = 0 WHERE point = ?');
  const add =
    db.prepare(`INSERT INTO enforced (point, object, reason, last, total) VALUES (:point, :object, :reason, :count, :count)
    ON CONFLICT DO UPDATE SET last = :count, total = min(${mostCounted}, total + CASE WHEN :count >= last THEN :count - last ELSE :count END)`);
  const all = db.prepare('SELECT point, object, reason, total AS count FROM enforced ORDER BY point, object, reason');
  return {
    observe(point, counts, epoch) {
      if (epoch !== null) {
        const known = epochOf.get(point)?.epoch;
        if (known !== undefined && known !== epoch) forget.run(point);
        if (known !== epoch) setEpoch.run(point, epoch);
      }
      for (const { object, reason, count } of counts) add.run({ point, object, reason, count });
    },
    totals: () => all.all().map((row) => ({ ...row }) as unknown as EnforcedTotal),
  };
}
