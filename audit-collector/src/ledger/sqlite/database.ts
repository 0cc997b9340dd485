/** A SQLite file that is ours: opened with its format brought up to date, and written in whole transactions. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { newerLedger } from '../ledger-error.ts';
import type { LedgerLife } from '../lives.ts';
import type { DayFilesOptions } from './day-files.ts';
import { formats } from './formats.ts';
import { livesOf } from './lives.ts';
import { sqliteError } from './sqlite-error.ts';
import { inTransaction } from './transaction.ts';

export interface DatabaseOptions {
  file: string;
  /** FULL (default) survives a power failure, NORMAL only the death of the process. */
  synchronous?: 'FULL' | 'NORMAL' | undefined;
  /** Called within a transaction after another one was committed, for tests that are killed there. */
  passes?: DayFilesOptions['passes'];
}

export interface OpenedDatabase {
  db: DatabaseSync;
  days: DayFilesOptions;
  lives: LedgerLife[];
}

const busyTimeoutMs = 2_000;

/** Throws EDW_ERR_LEDGER_…; then the file is as it was. */
export function openDatabase(options: DatabaseOptions): OpenedDatabase {
  const doing = `opening the ledger ${options.file}`;
  const db = guarded(doing, () => openFile(options.file));
  try {
    return { db, ...guarded(doing, () => prepare(db, options)) };
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function openFile(file: string): DatabaseSync {
  // Addresses of people stand in it: ours alone, whatever the umask says. SQLite gives its -wal file the same mode.
  closeSync(openSync(file, 'a', 0o600));
  return new DatabaseSync(file, { timeout: busyTimeoutMs });
}

function prepare(db: DatabaseSync, options: DatabaseOptions): Omit<OpenedDatabase, 'db'> {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  if (version > formats.length) throw newerLedger(options.file, version, formats.length);
  const { file, synchronous = 'FULL', passes } = options;
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
  const days = { file, synchronous, passes, ledgerId: identityOf(db), timeoutMs: busyTimeoutMs };
  // Also with nothing to migrate: a file that cannot be written is found out now, not at the first denial.
  const lives = inTransaction(db, () => {
    for (const become of formats.slice(version)) become(db, days);
    db.exec(`PRAGMA user_version = ${formats.length}`);
    return livesOf(db, file);
  });
  return { days, lives };
}

/** Day files name the ledger that they belong to. It is there before any of them, whatever becomes of what follows. */
function identityOf(db: DatabaseSync): string {
  return inTransaction(db, () => {
    db.exec('CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL) STRICT');
    const read = db.prepare('SELECT id FROM identity');
    if (read.get() === undefined) db.prepare('INSERT INTO identity VALUES (?)').run(randomUUID());
    return String(read.get()?.id);
  });
}

/** Whatever it throws has a code. */
export function guarded<Result>(doing: string, run: () => Result): Result {
  try {
    return run();
  } catch (thrown) {
    throw sqliteError(doing, thrown);
  }
}
