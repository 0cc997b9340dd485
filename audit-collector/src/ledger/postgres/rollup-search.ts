/** Rollups and edges as they are asked for, and what retention takes of them. */
import type { Edge, HourSum, MinuteSum, RollupQuery } from '../rollups.ts';
import { msOf, readLabels, timeOf, withinYears } from './event-rows.ts';
import { forgetUnnamed } from './rollup-terms.ts';
import type { Asking } from './session.ts';
import { readText, storedName, storedText } from './stored-text.ts';

interface Table {
  name: string;
  time: 'minute' | 'hour' | null;
  key: readonly string[];
  sets: readonly ('source_set' | 'object_set')[];
}

const minuteTable: Table = {
  name: 'rollup_minutes',
  time: 'minute',
  key: ['point', 'object', 'rule', 'reason', 'verdict'],
  sets: [],
};
const hourTable: Table = {
  name: 'rollup_hours',
  time: 'hour',
  key: ['object', 'rule', 'reason', 'verdict'],
  sets: ['source_set', 'object_set'],
};
const edgeTable: Table = { name: 'seen_edges', time: null, key: ['object', 'port'], sets: ['source_set'] };
const unitMs = { minute: 60_000, hour: 3_600_000 };

export const minutesOf = (asking: Asking, query: RollupQuery): Promise<MinuteSum[]> =>
  select(asking, minuteTable, query);
export const hoursOf = (asking: Asking, query: RollupQuery): Promise<HourSum[]> => select(asking, hourTable, query);
export const edgesOf = (asking: Asking, query: RollupQuery): Promise<Edge[]> => select(asking, edgeTable, query);

async function select<Row>(asking: Asking, { name, time, key, sets }: Table, query: RollupQuery): Promise<Row[]> {
  const { object } = query;
  const [sinceMs, untilMs] = [withinYears(query.sinceMs), withinYears(query.untilMs)];
  const point = key.includes('point') ? query.point : undefined;
  const nameOf = (text: string | undefined): string | null =>
    text === undefined ? null : storedName(storedText(text));
  const since = sinceMs === null ? null : sinceMs - (time === null ? 1 : unitMs[time]);
  const all: [sql: (value: string) => string, value: unknown][] = [
    [(value) => `${time ?? 'last_at'} > ${timeOf(value)}`, since],
    [(value) => `${time ?? 'first_at'} < ${timeOf(value)}`, untilMs],
    [(value) => `object = ${value}`, nameOf(object)],
    [(value) => `point = ${value}`, nameOf(point)],
  ];
  const asked = all.filter(([, value]) => value !== null);
  const where = asked.length === 0 ? '' : `WHERE ${asked.map(([sql], i) => sql(`$${i + 1}`)).join(' AND ')}`;
  const limit = Math.min(10_000, Math.max(1, Math.trunc(query.limit ?? 10_000)));
  const order = [`${time ?? 'last_at'} DESC`, ...sets, ...key].join();
  const labels = sets.map((set) => `(SELECT labels FROM rollup_sets WHERE id = ${set}) AS ${set}`);
  const times = [...(time === null ? [] : [time]), 'first_at', 'last_at'].map(
    (column) => `${msOf(column)} AS ${column}`,
  );
  const revision = time === null ? ['first_revision'] : [];
  const columns = [...times, ...labels, ...key, 'count', ...revision];
  const found = await asking.rows<Record<string, unknown>>(
    `SELECT ${columns.join()} FROM (SELECT * FROM ${name} ${where} ORDER BY ${order} LIMIT ${limit}) AS kept
    ORDER BY ${order.replace('last_at', 'kept.last_at')}`,
    asked.map(([, value]) => value),
  );
  return found.reverse().map((row) => readRow(row) as Row);
}

const names: Record<string, string> = {
  minute: 'minuteMs',
  hour: 'hourMs',
  first_at: 'firstMs',
  last_at: 'lastMs',
  first_revision: 'firstRevision',
  source_set: 'sourceLabels',
  object_set: 'objectLabels',
};

function readRow(row: Record<string, unknown>): unknown {
  const entries = Object.entries(row).map(([column, value]) => {
    if (typeof value === 'string') return [column, readText(value)];
    const isSet = typeof value === 'object' && value !== null;
    return [names[column] ?? column, isSet ? readLabels(value as Record<string, string>) : value];
  });
  return Object.fromEntries(entries);
}

/** Deletes at most `maxRows` minutes, hours and edges that ended before that instant. */
export async function pruneRollups(asking: Asking, beforeMs: number, maxRows: number): Promise<number> {
  let deleted = 0;
  for (const [table, isOld] of [
    ['rollup_minutes', `minute <= ${timeOf('$1')} - interval '1 minute'`],
    ['rollup_hours', `hour <= ${timeOf('$1')} - interval '1 hour'`],
    ['seen_edges', `last_at < ${timeOf('$1')}`],
  ]) {
    deleted += await deleteSome(asking, `${table}`, `${isOld}`, [beforeMs], maxRows - deleted);
  }
  if (deleted > 0 && deleted < maxRows) await forgetUnnamed(asking);
  return deleted;
}

/** At most `maxRows` of them. */
export async function deleteSome(
  asking: Asking,
  table: string,
  where: string,
  values: readonly unknown[],
  maxRows: number,
): Promise<number> {
  if (maxRows <= 0) return 0;
  const [found] = await asking.rows<{ count: number }>(
    `WITH gone AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE ${where} LIMIT ${maxRows}))
      RETURNING 1) SELECT count(*) FROM gone`,
    values,
  );
  return found?.count ?? 0;
}
