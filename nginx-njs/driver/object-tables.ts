import { type CompiledObject, columnsOf, type IntervalTable, type TableColumns } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { classKey, formatRules, rulesOfClass } from '../src/layout.ts';
import type { NameOf } from './entry-names.ts';

/** An entry of NGINX's dictionary. */
export type Entry = readonly [key: string, value: string];

/**
 * What leads from an address to rules, for one object: the buckets of its interval table, and the rules of each class.
 * Its id is the object's, so that whoever has the object and the push token knows the name.
 */
export interface ObjectTables {
  id: string;
  table: Readonly<IntervalTable>;
  /** Of the table, in its order. */
  readonly names: readonly string[];
  readonly values: readonly string[];
  /** By class. */
  rules: readonly string[];
  /** Characters of all of it. */
  readonly size: number;
}

/** How rules are written: one that is from before deltas takes JSON only. */
export type RulesFormat = typeof formatRules;

/** A value larger than this does not fit into one push. */
const VALUE_LIMIT = 200_000;

export function objectTables(object: CompiledObject, nameOf: NameOf, format: RulesFormat = formatRules): ObjectTables {
  const rules = object.classes.map((_, id) => format(rulesOfClass(object, id)));
  return tablesOf(nameOf(object.hash), object.sources, rules);
}

export function tablesOf(id: string, table: IntervalTable, rules: readonly string[]): ObjectTables {
  // Made when they are asked for: of a million networks each takes as long as comparing them.
  let columns: TableColumns | null = null;
  let size: number | null = null;
  return {
    id,
    table,
    rules,
    get names() {
      columns ??= columnsOf(table);
      return columns.names;
    },
    get values() {
      columns ??= columnsOf(table);
      return columns.values;
    },
    get size() {
      size ??= sizeOf(id, this.names, this.values, rules);
      return size;
    },
  };
}

function sizeOf(id: string, names: readonly string[], values: readonly string[], rules: readonly string[]): number {
  let size = 0;
  for (const name of names) size += id.length + name.length + 2;
  for (const value of values) size += value.length;
  for (const text of rules) size += id.length + text.length + 7;
  return size;
}

export function* tableEntries({ id, names, values, rules }: ObjectTables): Generator<Entry> {
  for (let at = 0; at < names.length; at += 1) yield [id + names[at], values[at] as string];
  yield* ruleEntries(id, rules);
}

export function* ruleEntries(id: string, rules: readonly string[]): Generator<Entry> {
  for (let at = 0; at < rules.length; at += 1) yield [classKey(id, at), rules[at] as string];
}

/** Of tables that are to be written whole. Throws EDW_ERR_POINT_CAPACITY. */
export function checkLengths(object: CompiledObject, { names, values, rules }: ObjectTables): void {
  const long = values.findIndex((value) => value.length > VALUE_LIMIT);
  if (long >= 0) throw tooLarge(object, `bucket ${names[long]}`, values[long]?.length ?? 0);
  const listed = rules.findIndex((text) => text.length > VALUE_LIMIT);
  if (listed >= 0) throw tooLarge(object, `class ${listed}`, rules[listed]?.length ?? 0);
}

function tooLarge(object: CompiledObject, what: string, length: number): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_POINT_CAPACITY',
    `the sources of '${object.name}' are too scattered for NGINX: one value (${what}) would take ${length} bytes`,
    { mend: 'Join the networks that its rules name into fewer, larger ones, or split the object.' },
  );
}
