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

export function keptColumns(table: IntervalTable): TableColumns | null {
  return (table as { columns?: TableColumns }).columns || null;
}

/** In the order in which they were packed, or in that of the object. */
export function columnsOf(table: IntervalTable): TableColumns {
  const kept = keptColumns(table);
  if (kept !== null) return kept;
  const names = Object.keys(table);
  return { names, values: names.map((name) => table[name] as string) };
}
