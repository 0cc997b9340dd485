/**
 * Denials that a point counted and has no record of: a number for a window and a cause. They are kept beside the events,
 * so that what a point observed is what is stored and what is uncovered, and what still waits at the point.
 */
import { type GapCause, type HostGap, windowOf } from '../../host-record.ts';
import type { Uncovered, UncoveredQuery } from '../ledger.ts';
import { type LedgerSums, mostCounted } from '../sums.ts';
import { msOf, timeOf, withinYears } from './event-rows.ts';
import { byCause } from './event-writer.ts';
import { columnsOf } from './rollup-terms.ts';
import type { Asking } from './session.ts';
import { readText, storedName, storedText } from './stored-text.ts';

/** Within a transaction. */
export async function addUncovered(
  asking: Asking,
  point: string,
  gaps: readonly HostGap[],
  storedMs: number,
): Promise<void> {
  const rows = gaps.map((gap) => {
    const { windowStart, windowEnd } = windowOf(gap);
    return { cause: gap.cause, count: gap.count, startMs: Date.parse(windowStart), endMs: Date.parse(windowEnd) };
  });
  const name = storedName(storedText(point));
  await asking.rows(
    `INSERT INTO uncovered (stored_at, point, window_start, window_end, cause, count)
    SELECT ${timeOf('$2')}, $1, ${timeOf('begun')}, ${timeOf('ended')}, cause, count
    FROM unnest($3::text[], $4::bigint[], $5::float8[], $6::float8[]) AS given (cause, count, begun, ended)`,
    [name, storedMs, ...columnsOf(rows, ['cause', 'count', 'startMs', 'endMs'])],
  );
  await asking.rows(
    `INSERT INTO uncovered_totals AS kept (point, cause, count)
    SELECT $1, cause, least(${mostCounted}, sum(count)) FROM unnest($2::text[], $3::bigint[]) AS given (cause, count)
    GROUP BY cause
    ON CONFLICT (point, cause) DO UPDATE SET count = least(${mostCounted}, kept.count + excluded.count)`,
    [name, ...columnsOf(rows, ['cause', 'count'])],
  );
}

/** Within a transaction: of the newest windows, as far as retention left them, and of the sum. */
export async function takeBack(asking: Asking, point: string, cause: GapCause, count: number): Promise<void> {
  const given = [storedName(storedText(point)), cause, count];
  await asking.rows(
    `WITH newest AS (
      SELECT id, count, sum(count) OVER (ORDER BY id DESC) - count AS before FROM uncovered
      WHERE point = $1 AND cause = $2),
    taken AS (SELECT id, least(count, $3::bigint - before)::bigint AS less, count FROM newest WHERE before < $3::bigint),
    gone AS (DELETE FROM uncovered USING taken WHERE uncovered.id = taken.id AND taken.less = taken.count)
    UPDATE uncovered SET count = uncovered.count - taken.less FROM taken
    WHERE uncovered.id = taken.id AND taken.less < taken.count`,
    given,
  );
  await asking.rows('UPDATE uncovered_totals SET count = count - $3 WHERE point = $1 AND cause = $2', given);
}

/** Of one point, or of all, over all time, also what retention has deleted. */
export const uncoveredSums = (asking: Asking, point: string | null): Promise<LedgerSums['uncovered']> =>
  byCause(asking, 'SELECT point, cause, count FROM uncovered_totals WHERE $1::text IS NULL OR point = $1', point);

/** By point and cause, of the windows that ended since then. */
export async function uncoveredSince(asking: Asking, { sinceMs, point }: UncoveredQuery): Promise<Uncovered[]> {
  const found = await asking.rows<Omit<Uncovered, 'windowStart' | 'windowEnd'> & { startMs: number; endMs: number }>(
    `SELECT point, cause, least(${mostCounted}, sum(count))::bigint AS count,
      ${msOf('min(window_start)')} AS "startMs", ${msOf('max(window_end)')} AS "endMs"
    FROM uncovered WHERE window_end >= ${timeOf('$1')} AND ($2::text IS NULL OR point = $2)
    GROUP BY point, cause ORDER BY point, cause`,
    [withinYears(sinceMs ?? 0), point === undefined ? null : storedName(storedText(point))],
  );
  return found.map(({ startMs, endMs, ...total }) => ({
    ...total,
    point: readText(total.point),
    windowStart: new Date(startMs).toISOString(),
    windowEnd: new Date(endMs).toISOString(),
  }));
}
