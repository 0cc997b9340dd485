/**
 * Deny events as rows and back, by one table of fields. What is read equals what was stored, to the millisecond and the
 * byte. The tables are STRICT, so a column holds the type that its declaration says.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { canonicalAddress, type DenyEvent } from '../../deny-event.ts';
import { instantMs } from '../../instants.ts';
import type { DenialQuery, StoredDenial } from '../ledger.ts';

type Kind = 'plain' | 'time' | 'list' | 'set' | 'flag';
type Field = Exclude<keyof DenyEvent, 'v'>;

/** How each field of an event is kept: as it is, as milliseconds, as JSON, as the id of a label set, as 0 or 1. */
const fields: Record<Field, Kind> = {
  ref: 'plain',
  time: 'time',
  windowStart: 'time',
  windowEnd: 'time',
  count: 'plain',
  point: 'plain',
  object: 'plain',
  objectLabels: 'set',
  source: 'plain',
  sourcePort: 'plain',
  sourceWorkloads: 'list',
  sourceNetworks: 'list',
  sourceLabels: 'set',
  labelsRevision: 'plain',
  peer: 'plain',
  port: 'plain',
  method: 'plain',
  path: 'plain',
  truncated: 'flag',
  host: 'plain',
  verdict: 'plain',
  reason: 'plain',
  rule: 'plain',
  revision: 'plain',
  nearestRule: 'plain',
  missed: 'plain',
};
const suffixes: Partial<Record<Kind, string>> = { time: '_ms', set: '_id' };
const columns = Object.entries(fields).map(([key, kind]) => {
  const column = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) + (suffixes[kind] ?? '');
  return { key: key as Field, kind, column };
});

/** In the order of the rows. */
export const eventFields: readonly { key: Field; kind: Kind }[] = columns;
const names = columns.map(({ column }) => column);
export const insertEvent: string = `INSERT INTO events (id, stored_ms, ${names.join()}) VALUES (?, ?${', ?'.repeat(names.length)})`;

/** The values of `insertEvent`, after the id. */
export function rowOf(
  event: DenyEvent,
  storedMs: number,
  setId: (labels: Record<string, string>) => number,
): SQLInputValue[] {
  const row: SQLInputValue[] = [storedMs];
  for (const { key, kind } of columns) row.push(kind === 'plain' ? plain(event[key]) : store[kind](event[key], setId));
  return row;
}

const plain = (value: unknown): SQLInputValue => value as SQLInputValue;

const store: Record<Kind, (value: unknown, setId: (labels: Record<string, string>) => number) => SQLInputValue> = {
  plain,
  time: (value) => instantMs(String(value)),
  list: (value) => JSON.stringify(value),
  set: (value, setId) => setId(value as Record<string, string>),
  flag: Number,
};

const load: Record<Kind, (value: SQLOutputValue | undefined, label: (id: number) => unknown) => unknown> = {
  plain: (value) => value,
  time: (value) => new Date(Number(value)).toISOString(),
  list: (value) => JSON.parse(String(value)),
  set: (value, setOf) => setOf(Number(value)),
  flag: (value) => value === 1,
};

export function labelReader(db: DatabaseSync): (id: number) => unknown {
  const read = db.prepare('SELECT labels FROM label_sets WHERE id = ?');
  return (id) => JSON.parse(String(read.get(id)?.labels));
}

export function denialOf(row: Record<string, SQLOutputValue>, setOf: (id: number) => unknown): StoredDenial {
  const entries = columns.map(({ key, kind, column }) => [key, load[kind](row[column], setOf)]);
  return { id: Number(row.id), event: { v: 1, ...Object.fromEntries(entries) } as DenyEvent };
}

const conditions = {
  afterId: 'id > :afterId',
  // The first id of that time by the index on time, then on by id; `+` keeps the order by id free.
  sinceMs: '+time_ms >= :sinceMs AND id >= (SELECT min(id) FROM events WHERE time_ms >= :sinceMs)',
  point: 'point = :point',
  object: 'object = :object',
  source: 'source = :source',
  ref: 'ref = :ref',
  id: 'id = :id',
} as const;

/** Nothing above `standsAt`. */
export function denialSelect(
  query: DenialQuery,
  standsAt: number,
): { sql: string; parameters: Record<string, SQLInputValue> } {
  const asked = { ...query, source: query.source === undefined ? undefined : canonicalAddress(query.source) };
  const keys = (Object.keys(conditions) as (keyof typeof conditions)[]).filter((key) => asked[key] !== undefined);
  const where = ['id <= :standsAt', ...keys.map((key) => conditions[key])].join(' AND ');
  const limit = Math.min(10_000, Math.max(1, Math.trunc(query.limit ?? 1_000)));
  return {
    sql: `SELECT * FROM events WHERE ${where} ORDER BY id ${query.newest ? 'DESC' : 'ASC'} LIMIT ${limit}`,
    parameters: { standsAt, ...Object.fromEntries(keys.map((key) => [key, asked[key] ?? null])) },
  };
}
