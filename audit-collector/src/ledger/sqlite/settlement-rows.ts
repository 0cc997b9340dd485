/** What settled the books of each point, and the gaps that came of it. Everything within the transaction of whoever calls. */
import type { DatabaseSync } from 'node:sqlite';
import { gapOf, nothingSettled, type Settled, type Settlement, type Settling, settle } from '../settlements.ts';
import type { UncoveredDenials } from './uncovered-denials.ts';

export interface SettlementRows {
  settle(settling: Settling): Settled;
  /** The books of the point were closed then. */
  closed(point: string, closedMs: number): void;
}

export function settlementRows(
  db: DatabaseSync,
  uncovered: Pick<UncoveredDenials, 'add' | 'takeBack' | 'totals'>,
): SettlementRows {
  const read = db.prepare(
    'SELECT epoch, unlogged, uncounted, closed_ms AS closedMs FROM settlements WHERE point = :point',
  );
  const put = db.prepare(`INSERT INTO settlements VALUES (:point, :epoch, :unlogged, :uncounted, :closedMs)
    ON CONFLICT DO UPDATE SET epoch = :epoch, unlogged = :unlogged, uncounted = :uncounted, closed_ms = :closedMs`);
  const close = db.prepare(`INSERT INTO settlements VALUES (:point, '', 0, 0, :closedMs)
    ON CONFLICT DO UPDATE SET closed_ms = :closedMs`);
  return {
    settle(settling) {
      const { point, storedMs } = settling;
      const known = (read.get({ point }) ?? null) as Settlement | null;
      const unlogged = uncovered.totals(point).find(({ cause }) => cause === 'unlogged')?.count ?? 0;
      const done = settle(known, unlogged, settling);
      if (done === null) return nothingSettled;
      const { settlement, settled } = done;
      if (settled.unlogged > 0) uncovered.add(point, gapOf(settling, settlement), storedMs);
      if (settled.unlogged < 0) uncovered.takeBack(point, 'unlogged', -settled.unlogged);
      put.run({ point, ...settlement });
      return settled;
    },
    closed: (point, closedMs) => void close.run({ point, closedMs }),
  };
}
