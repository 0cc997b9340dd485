/** What SQLite says, as a code that stands in `docs/errors.md`. Nothing here ever deletes or repairs a ledger. */
import { EdgewardError, messageOf, systemCodeOf } from '@edgeward/runtime';

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const causes: Record<number, { code: string; mend: string }> = {
  5: {
    code: 'EDW_ERR_LEDGER_BUSY',
    mend: 'Another process holds the ledger for writing. Stop it, or give each collector a ledger of its own.',
  },
  8: {
    code: 'EDW_ERR_LEDGER_UNWRITABLE',
    mend: 'Let the user that runs the collector write the ledger and its folder. Denials wait in the deny log meanwhile.',
  },
  10: {
    code: 'EDW_ERR_LEDGER_WRITE',
    mend: 'The disk failed. Check it (dmesg). Denials wait in the deny log meanwhile.',
  },
  11: {
    code: 'EDW_ERR_LEDGER_DAMAGED',
    mend: 'Move the ledger aside (keep its -wal file with it) and start again, or save it with `sqlite3 FILE .recover`.',
  },
  13: {
    code: 'EDW_ERR_LEDGER_WRITE',
    mend: 'The disk is full. Free some space; denials wait in the deny log meanwhile.',
  },
  14: {
    code: 'EDW_ERR_LEDGER_UNWRITABLE',
    mend: 'Create the folder of the ledger and let the user that runs the collector write in it.',
  },
  26: {
    code: 'EDW_ERR_LEDGER_DAMAGED',
    mend: 'This file is no ledger. Name another file, or move this one aside.',
  },
};

export function sqliteError(doing: string, thrown: unknown): EdgewardError {
  if (thrown instanceof EdgewardError) return thrown;
  // What the file system itself says while the file is opened has no result code: it is the 14 of SQLite.
  const known = causes[systemCodeOf(thrown)?.startsWith('E') ? resultCodeOf(thrown, 14) & 0xff : 0];
  return new EdgewardError(known?.code ?? 'EDW_ERR_LEDGER_WRITE', `${doing}: ${messageOf(thrown)}`, {
    cause: thrown,
    mend: known?.mend ?? 'Check the disk and the permissions of the ledger and its folder.',
  });
}

/** The file is no database, or not any longer. */
export const isDamage = (thrown: unknown): boolean => [11, 26].includes(resultCodeOf(thrown, 0) & 0xff);

/** Another one writes: it says nothing of the file. */
export const isBusy = (thrown: unknown): boolean => (resultCodeOf(thrown, 0) & 0xff) === 5;

function resultCodeOf(thrown: unknown, otherwise: number): number {
  const known = thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number';
  return known ? Number(thrown.errcode) : otherwise;
}
