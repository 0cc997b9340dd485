/**
 * How a ledger of one format becomes one of the next, in the transaction that opens it: the tables of `schema`, and what has
 * to be filled in or moved from what is there. Nothing that was stored is lost on the way.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { KeptDenial } from './day-file.ts';
import { type DayFilesOptions, dayFiles } from './day-files.ts';
import { denialOf, labelReader } from './event-rows.ts';
import { rollupTables } from './rollup-tables.ts';
import { migrations } from './schema.ts';

/** Formats are counted from 1: what each of these brought, beside its tables. */
const filling: Record<number, (db: DatabaseSync, days: DayFilesOptions) => void> = {
  4: rollUpStored,
  5: moveIntoDays,
};
const pageRows = 1_000;

export const formats: readonly ((db: DatabaseSync, days: DayFilesOptions) => void)[] = migrations.map(
  (sql, place) => (db, days) => {
    db.exec(sql);
    filling[place + 1]?.(db, days);
  },
);

function rollUpStored(db: DatabaseSync): void {
  const rollups = rollupTables(db);
  for (const page of pagesOf(db)) rollups.add(page.map(({ event }) => event));
}

function moveIntoDays(db: DatabaseSync, options: DayFilesOptions): void {
  const days = dayFiles(db, options);
  try {
    for (const page of pagesOf(db)) days.adopt(page);
  } finally {
    days.close();
  }
  db.exec('DROP TABLE events; DROP TABLE label_sets');
}

/** A page at a time: an old ledger may be larger than memory. */
function* pagesOf(db: DatabaseSync): Generator<KeptDenial[]> {
  const page = db.prepare(`SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ${pageRows}`);
  const setOf = labelReader(db);
  for (let last = -1; ; ) {
    const rows = page.all(last);
    if (rows.length === 0) return;
    yield rows.map((row) => ({ ...denialOf(row, setOf), storedMs: Number(row.stored_ms) }));
    last = Number(rows.at(-1)?.id);
  }
}
