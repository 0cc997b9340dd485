/**
 * What the points' own counters say, kept so that it can be compared with what was stored. Such a counter begins anew
 * with each life of its point, so increases are added up over all lives: an epoch names a life; without one, a counter
 * that fell has begun anew. What a point counted between the last reading and its end only its lines tell: the uncounted.
 */
import type { EnforcedCount } from '../ledger.ts';
import { UNCOUNTED } from '../settlements.ts';
import { type EnforcedTotal, mostCounted } from '../sums.ts';
import { columnsOf } from './rollup-terms.ts';
import type { Asking } from './session.ts';
import { readText, storedName, storedText } from './stored-text.ts';

const nameOf = (text: string): string => storedName(storedText(text));

/** Within a transaction. */
export async function observeCounters(
  asking: Asking,
  point: string,
  counts: readonly EnforcedCount[],
  epoch: string | null,
): Promise<void> {
  const name = nameOf(point);
  if (epoch !== null) await beginLife(asking, name, nameOf(epoch));
  for (const some of eachOnce(counts)) {
    await asking.rows(
      `INSERT INTO enforced AS kept (point, object, reason, last, total)
      SELECT $1, object, reason, count, count FROM unnest($2::text[], $3::text[], $4::bigint[]) AS given (object, reason, count)
      ON CONFLICT (point, object, reason) DO UPDATE SET last = excluded.last, total = least(${mostCounted},
        kept.total + CASE WHEN excluded.last >= kept.last THEN excluded.last - kept.last ELSE excluded.last END)`,
      [name, ...columnsOf(some, ['object', 'reason', 'count'])],
    );
  }
}

async function beginLife(asking: Asking, point: string, epoch: string): Promise<void> {
  const [known] = await asking.rows<{ epoch: string }>('SELECT epoch FROM point_epochs WHERE point = $1', [point]);
  if (known?.epoch === epoch) return;
  if (known !== undefined) await asking.rows('UPDATE enforced SET last = 0 WHERE point = $1', [point]);
  await asking.rows(
    'INSERT INTO point_epochs VALUES ($1, $2) ON CONFLICT (point) DO UPDATE SET epoch = excluded.epoch',
    [point, epoch],
  );
}

/** One statement takes a row once: a counter that was given twice is told twice, in its order. */
function* eachOnce(counts: readonly EnforcedCount[]): Generator<EnforcedCount[]> {
  let left = counts.map(({ object, reason, count }) => ({ object: nameOf(object), reason: nameOf(reason), count }));
  while (left.length > 0) {
    const now = new Map<string, EnforcedCount>();
    const later: EnforcedCount[] = [];
    for (const entry of left) {
      const key = JSON.stringify([entry.object, entry.reason]);
      if (now.has(key)) later.push(entry);
      else now.set(key, entry);
    }
    yield [...now.values()];
    left = later;
  }
}

/** Of one point, or of all. */
export async function enforcedTotals(asking: Asking, point: string | null): Promise<EnforcedTotal[]> {
  const found = await asking.rows<EnforcedTotal>(
    `SELECT point, object, reason, total AS count FROM enforced WHERE $1::text IS NULL OR point = $1
    UNION ALL SELECT point, '', '${UNCOUNTED}', uncounted FROM settlements
    WHERE uncounted > 0 AND ($1::text IS NULL OR point = $1)`,
    [point === null ? null : nameOf(point)],
  );
  return found.map((total) => ({
    ...total,
    point: readText(total.point),
    object: readText(total.object),
    reason: readText(total.reason),
  }));
}
