/**
 * Deny events as rows and back, by one table of fields. What is read equals what was stored, to the millisecond and the
 * character, also where PostgreSQL keeps another text (`stored-text`) or the index a shorter one (`long`).
 */
import { parseAddress } from '@edgeward/policy';
import type { DenyEvent } from '../../deny-event.ts';
import type { StoredDenial } from '../ledger.ts';
import { readText, storedName, storedText } from './stored-text.ts';

type Kind = 'number' | 'flag' | 'text' | 'name' | 'time' | 'labels' | 'names';
type Field = Exclude<keyof DenyEvent, 'v'>;

/** `name`: of those that have an index. Labels and names are kept apart, and stand in a row by number. */
const fields: Record<Field, [column: string, kind: Kind]> = {
  ref: ['ref', 'name'],
  time: ['time', 'time'],
  windowStart: ['window_start', 'time'],
  windowEnd: ['window_end', 'time'],
  count: ['count', 'number'],
  point: ['point', 'text'],
  object: ['object', 'name'],
  objectLabels: ['object_set', 'labels'],
  source: ['source', 'name'],
  sourcePort: ['source_port', 'number'],
  sourceWorkloads: ['workloads', 'names'],
  sourceNetworks: ['networks', 'names'],
  sourceLabels: ['source_set', 'labels'],
  labelsRevision: ['labels_revision', 'number'],
  peer: ['peer', 'text'],
  port: ['port', 'text'],
  method: ['method', 'text'],
  path: ['path', 'text'],
  truncated: ['truncated', 'flag'],
  host: ['host', 'text'],
  verdict: ['verdict', 'text'],
  reason: ['reason', 'text'],
  rule: ['rule', 'text'],
  revision: ['revision', 'number'],
  nearestRule: ['nearest_rule', 'text'],
  missed: ['missed', 'text'],
};
const columns = Object.entries(fields).map(([field, [column, kind]]) => ({ field: field as Field, column, kind }));

/** A type of its arrays, and what becomes of a value of it. */
const given: Record<Kind, [type: string, (value: string) => string]> = {
  number: ['bigint', (value) => value],
  flag: ['boolean', (value) => value],
  text: ['text', (value) => value],
  name: ['text', (value) => value],
  time: ['float8', (value) => timeOf(value)],
  labels: ['integer', (value) => value],
  names: ['integer', (value) => value],
};

/** An instant of milliseconds. */
export const timeOf = (ms: string): string => `to_timestamp(${ms}::float8 / 1000)`;
/** And back. A double is exact to the millisecond for as long as years have four digits. */
export const msOf = (time: string): string => `round(extract(epoch FROM ${time}) * 1000)::bigint`;

/** A time that somebody asks for, within the years that an event can have; null: none. */
export const withinYears = (ms: number | undefined): number | null =>
  ms === undefined ? null : Math.min(253_402_300_799_999, Math.max(-62_167_219_200_000, ms));

const more = ['address', 'long'];
const first = 3;

/** Values: the id of the first, when they are stored (ms), then `columnsOf`. */
export const insertEvents: string = `
  INSERT INTO events (id, stored_at, ${columns.map(({ column }) => column).join()}, ${more.join()})
  SELECT $1::bigint + place - 1, ${timeOf('$2')}, ${columns.map(({ column, kind }) => given[kind][1](column)).join()},
    address::inet, long::jsonb
  FROM unnest(${[
    ...columns.map(({ kind }, place) => `$${place + first}::${given[kind][0]}[]`),
    ...more.map((_, place) => `$${columns.length + place + first}::text[]`),
  ].join()}) WITH ORDINALITY AS given (${columns.map(({ column }) => column).join()}, ${more.join()}, place)`;

/** Numbers of what is kept apart. */
export interface Interned {
  labels(labels: Record<string, string>): number;
  names(names: readonly string[]): number;
}

/** Of events whose text is stored text already. */
export function columnsOf(events: readonly DenyEvent[], interned: Interned): unknown[][] {
  const store: Record<Kind, (value: unknown) => unknown> = {
    number: (value) => value,
    flag: (value) => value,
    text: (value) => value,
    name: (value) => (typeof value === 'string' ? storedName(value) : value),
    time: (value) => Date.parse(String(value)),
    labels: (value) => interned.labels(value as Record<string, string>),
    names: (value) => interned.names(value as string[]),
  };
  return [
    ...columns.map(({ field, kind }) => events.map((event) => store[kind](event[field]))),
    events.map(({ source }) => (parseAddress(source) === null ? null : source)),
    events.map(longOf),
  ];
}

/** What was cut, whole. */
function longOf({ ref, object, source }: DenyEvent): string | null {
  const cut = Object.entries({ ref, object, source }).filter(([, text]) => text !== null && storedName(text) !== text);
  return cut.length === 0 ? null : JSON.stringify(Object.fromEntries(cut));
}

const texts = columns.filter(({ kind }) => kind === 'text' || kind === 'name').map(({ field }) => field);

/** With its text as it is stored: two that are one there are one from here on, in every sum. */
export function storedEvent(event: DenyEvent): DenyEvent {
  const changed: Partial<Record<Field, string>> = {};
  for (const field of texts) {
    const text = event[field] as string | null;
    if (text === null) continue;
    const stored = storedText(text);
    if (stored !== text) changed[field] = stored;
  }
  return { ...event, ...changed } as DenyEvent;
}

/** FROM and all: what conditions follow are of `events`. */
export const selectEvents: string = `
  SELECT id, ${columns.map(selected).join()}, long
  FROM events
    LEFT JOIN (SELECT id AS object_set, labels AS object_labels FROM label_sets) AS o USING (object_set)
    LEFT JOIN (SELECT id AS source_set, labels AS source_labels FROM label_sets) AS s USING (source_set)
    LEFT JOIN (SELECT id AS workloads, names AS workload_names FROM name_lists) AS w USING (workloads)
    LEFT JOIN (SELECT id AS networks, names AS network_names FROM name_lists) AS n USING (networks)`;

function selected({ field, column, kind }: (typeof columns)[number]): string {
  const joined: Partial<Record<Field, string>> = {
    objectLabels: 'object_labels',
    sourceLabels: 'source_labels',
    sourceWorkloads: 'workload_names',
    sourceNetworks: 'network_names',
  };
  const value = joined[field] ?? (kind === 'time' ? msOf(column) : column);
  return `${value} AS "${field}"`;
}

export type EventRow = Record<string, unknown> & { id: number; long: Record<string, string> | null };

export function denialOf({ id, long, ...row }: EventRow): StoredDenial {
  const entries = columns.map(({ field, kind }) => [field, readAs(kind, long?.[field] ?? row[field])]);
  return { id, event: { v: 1, ...Object.fromEntries(entries) } as DenyEvent };
}

function readAs(kind: Kind, value: unknown): unknown {
  if (value === null) return null;
  if (kind === 'text' || kind === 'name') return readText(String(value));
  if (kind === 'time') return new Date(Number(value)).toISOString();
  if (kind === 'labels') return readLabels(value as Record<string, string>);
  return kind === 'names' ? (value as string[]).map(readText) : value;
}

export function readLabels(stored: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(stored).map(([key, value]) => [readText(key), readText(value)]));
}
