/** What settled the books of each point, and the gaps that came of it. Everything within the transaction of whoever calls. */
import { gapOf, nothingSettled, type Settled, type Settlement, type Settling, settle } from '../settlements.ts';
import { msOf, timeOf } from './event-rows.ts';
import type { Asking } from './session.ts';
import { readText, storedName, storedText } from './stored-text.ts';
import { addUncovered, takeBack, uncoveredSums } from './uncovered-denials.ts';

const nameOf = (text: string): string => storedName(storedText(text));

export async function settleBooks(asking: Asking, settling: Settling): Promise<Settled> {
  const { point, storedMs } = settling;
  const [row] = await asking.rows<Settlement>(
    `SELECT epoch, unlogged, uncounted, ${msOf('closed_at')} AS "closedMs" FROM settlements WHERE point = $1`,
    [nameOf(point)],
  );
  const known = row === undefined ? null : { ...row, epoch: readText(row.epoch) };
  const unlogged = (await uncoveredSums(asking, point)).find(({ cause }) => cause === 'unlogged')?.count ?? 0;
  const done = settle(known, unlogged, settling);
  if (done === null) return nothingSettled;
  const { settlement, settled } = done;
  if (settled.unlogged > 0) await addUncovered(asking, point, [gapOf(settling, settlement)], storedMs);
  if (settled.unlogged < 0) await takeBack(asking, point, 'unlogged', -settled.unlogged);
  await asking.rows(
    `INSERT INTO settlements (point, epoch, unlogged, uncounted) VALUES ($1, $2, $3, $4)
    ON CONFLICT (point) DO UPDATE SET epoch = excluded.epoch, unlogged = excluded.unlogged, uncounted = excluded.uncounted`,
    [nameOf(point), nameOf(settlement.epoch), settlement.unlogged, settlement.uncounted],
  );
  return settled;
}

/** The books of the point were closed then. */
export async function closedAt(asking: Asking, point: string, closedMs: number): Promise<void> {
  await asking.rows(
    `INSERT INTO settlements (point, epoch, unlogged, uncounted, closed_at) VALUES ($1, '', 0, 0, ${timeOf('$2')})
    ON CONFLICT (point) DO UPDATE SET closed_at = excluded.closed_at`,
    [nameOf(point), closedMs],
  );
}
