/**
 * The events of each day in a table of their own, by when they were stored (UTC), so that retention is the end of a table.
 * `days` says which ids and times each of them holds.
 */
import { timeOf } from './event-rows.ts';
import type { Asking } from './session.ts';

export interface WrittenDay {
  firstId: number;
  lastId: number;
  times: readonly number[];
}

/** Within a transaction, before the events are written. `day` is `2026-11-22`. */
export async function ensureDay(asking: Asking, day: string, { firstId, lastId, times }: WrittenDay): Promise<void> {
  const [added] = await asking.rows<{ new: boolean }>(
    `INSERT INTO days AS kept VALUES ($1, $2, $3, ${timeOf('$4')}, ${timeOf('$5')})
    ON CONFLICT (day) DO UPDATE SET last_id = excluded.last_id,
      first_time = least(kept.first_time, excluded.first_time), last_time = greatest(kept.last_time, excluded.last_time)
    RETURNING xmax = 0 AS new`,
    [day, firstId, lastId, least(times), -least(times.map((time) => -time))],
  );
  if (added?.new !== true) return;
  const table = tableOf(day);
  const next = new Date(Date.parse(day) + dayMs).toISOString().slice(0, 10);
  // Made aside and then attached: whoever reads other days waits for nothing.
  await asking.rows(`CREATE TABLE IF NOT EXISTS ${table} (LIKE events INCLUDING ALL)`);
  await asking.rows(
    `ALTER TABLE events ATTACH PARTITION ${table} FOR VALUES FROM ('${day} 00:00:00+00') TO ('${next} 00:00:00+00')`,
  );
}

const dayMs = 86_400_000;
const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const tableOf = (day: string): string => `events_${day.replaceAll('-', '')}`;

/** Within a transaction: drops at most `maxDays` whole days that were over before that instant; answers how many. */
export async function dropDays(asking: Asking, beforeMs: number, maxDays: number): Promise<number> {
  const over = await asking.rows<{ day: string }>(
    `DELETE FROM days WHERE day IN (SELECT day FROM days
      WHERE (day + 1)::timestamp AT TIME ZONE 'UTC' <= ${timeOf('$1')} ORDER BY day LIMIT $2)
    RETURNING day::text`,
    [beforeMs, maxDays],
  );
  for (const { day } of over) await asking.rows(`DROP TABLE ${tableOf(day)}`);
  if (over.length > 0) {
    for (const table of ['label_sets', 'name_lists']) {
      await asking.rows(
        `DELETE FROM ${table} WHERE last_day < coalesce((SELECT min(day) FROM days), 'infinity'::date)`,
      );
    }
  }
  return over.length;
}

export interface ListedDay {
  day: string;
  firstId: number;
  lastId: number;
}

/** Those that can hold events of these times and ids, oldest first. */
export function daysWithin(
  asking: Asking,
  within: { sinceMs: number | null; untilMs: number | null; firstId: number; lastId: number },
): Promise<ListedDay[]> {
  const { sinceMs, untilMs, firstId, lastId } = within;
  return asking.rows<ListedDay>(
    `SELECT day::text, first_id AS "firstId", last_id AS "lastId" FROM days
    WHERE ($1::float8 IS NULL OR last_time >= ${timeOf('$1')}) AND ($2::float8 IS NULL OR first_time < ${timeOf('$2')})
      AND last_id >= $3 AND first_id <= $4 ORDER BY first_id`,
    [sinceMs, untilMs, firstId, lastId],
  );
}
