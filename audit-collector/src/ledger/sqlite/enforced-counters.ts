/**
 * What the points' own counters say, kept so that it can be compared with what was stored. Such a counter begins anew
 * with each life of its point, so increases are added up over all lives: an epoch names a life; without one, a counter
 * that fell has begun anew. What a point counted between the last reading and its end only its lines tell: the uncounted.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { EnforcedCount } from '../ledger.ts';
import { UNCOUNTED } from '../settlements.ts';
import { type EnforcedTotal, mostCounted } from '../sums.ts';

export interface EnforcedCounters {
  observe(point: string, counts: readonly EnforcedCount[], epoch: string | null): void;
  /** Of one point, or of all. */
  totals(point: string | null): EnforcedTotal[];
}

/** `observe` is called within a transaction. */
export function enforcedCounters(db: DatabaseSync): EnforcedCounters {
  const epochOf = db.prepare('SELECT epoch FROM point_epochs WHERE point = ?');
  const setEpoch = db.prepare('INSERT OR REPLACE INTO point_epochs (point, epoch) VALUES (?, ?)');
  const forget = db.prepare('UPDATE enforced SET last = 0 WHERE point = ?');
  const add =
    db.prepare(`INSERT INTO enforced (point, object, reason, last, total) VALUES (:point, :object, :reason, :count, :count)
    ON CONFLICT DO UPDATE SET last = :count, total = min(${mostCounted}, total + CASE WHEN :count >= last THEN :count - last ELSE :count END)`);
  const all = db.prepare(`SELECT point, object, reason, total AS count FROM enforced
    WHERE :point IS NULL OR point = :point
    UNION ALL SELECT point, '', '${UNCOUNTED}', uncounted FROM settlements
    WHERE uncounted > 0 AND (:point IS NULL OR point = :point)`);
  return {
    observe(point, counts, epoch) {
      if (epoch !== null) {
        const known = epochOf.get(point)?.epoch;
        if (known !== undefined && known !== epoch) forget.run(point);
        if (known !== epoch) setEpoch.run(point, epoch);
      }
      for (const { object, reason, count } of counts) add.run({ point, object, reason, count });
    },
    totals: (point) => all.all({ point }).map((row) => ({ ...row }) as unknown as EnforcedTotal),
  };
}
