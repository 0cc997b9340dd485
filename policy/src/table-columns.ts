import type { IntervalTable } from './compiled.ts';

/**
 * An interval table as two lists beside each other, for whoever goes through all of it often: from an object of 57,000
 * names, which a million networks make, the lists take longer to make than to compare. They travel with the table that
 * was packed in this process, unseen: no JSON, no copy and no comparison of the table has them. A table is never changed.
 */
export interface TableColumns {
  names: string[];
  values: string[];
}

/** No bucket has such a name. */
const COLUMNS = 'columns';
/** Of a smaller table they are made as quickly as they are needed, and most tables are small. */
const SMALLEST = 500;

export function keepColumns(table: IntervalTable, columns: TableColumns): void {
  if (columns.names.length < SMALLEST) return;
  const value = { names: columns.names, values: columns.values };
  Object.defineProperty(table, COLUMNS, { value });
}

function keptColumns(table: IntervalTable): TableColumns | null {
  // In a table that was read from somewhere it could be the name of a bucket, which is text.
  const columns = (table as { columns?: TableColumns | string }).columns;
  return columns === undefined || typeof columns === 'string' ? null : columns;
}

/** In the order in which they were packed, or in that of the object. */
export function columnsOf(table: IntervalTable): TableColumns {
  const kept = keptColumns(table);
  if (kept !== null) return kept;
  const names = Object.keys(table);
  return { names, values: names.map((name) => table[name] as string) };
}

/** A table while it is written. */
export interface Packing extends TableColumns {
  table: IntervalTable;
  earlier: IntervalTable;
  /** Which column of `earlier` is next; they come in one order always. */
  at: number;
}

/** What is as in `earlier` becomes the same string. */
export function beginPacking(earlier: IntervalTable | undefined): Packing {
  return { table: {}, names: [], values: [], earlier: earlier || {}, at: 0 };
}

export function put(to: Packing, name: string, value: string): void {
  const held = to.earlier[name];
  const kept = held === value ? held : value;
  to.table[name] = kept;
  to.names.push(held === undefined ? name : sameName(to, name));
  to.values.push(kept);
}

function sameName(to: Packing, name: string): string {
  const columns = keptColumns(to.earlier);
  if (columns === null) return name;
  let at = to.at;
  while (at < columns.names.length && columns.names[at] !== name) at += 1;
  to.at = at + 1;
  return columns.names[at] || name;
}
