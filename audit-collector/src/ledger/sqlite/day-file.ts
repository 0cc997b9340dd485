/**
 * The events of one day, in a SQLite file of its own that can be read without any other. Ids are given in from outside, and
 * so is how far it holds: what is above that was written by somebody who was killed before it was said anywhere, and is
 * nothing yet.
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { labelText } from '../label-sets.ts';
import type { DenialQuery, StoredDenial } from '../ledger.ts';
import { daySearch } from './day-search.ts';
import { denialOf, denialSelect, insertEvent, labelReader, rowOf } from './event-rows.ts';
import { inTransaction } from './transaction.ts';

export interface DayFile {
  /** In a transaction of its own; committed when it returns. What was above `standsAt` is gone then. */
  insert(denials: readonly KeptDenial[], standsAt: number): void;
  /** Nothing above `standsAt`; the oldest first, or the newest. */
  select(query: DenialQuery, standsAt: number): StoredDenial[];
  /** A page of a search, of what stands in these ids. */
  search: ReturnType<typeof daySearch>;
  /** It is still what stands in the folder. */
  isThere(): boolean;
  close(): void;
}

export interface KeptDenial extends StoredDenial {
  storedMs: number;
}

export interface DayFileOptions {
  file: string;
  /** Of the ledger that it belongs to. */
  ledgerId: string;
  synchronous: 'FULL' | 'NORMAL';
  timeoutMs: number;
  /** Nothing was ever written into it; else it is not made. */
  isNew: boolean;
}

const format = 1;
const maxCachedSets = 10_000;

const schema = `
  CREATE TABLE belongs_to (ledger_id TEXT NOT NULL) STRICT;
  -- Label sets repeat without end; each is kept once, as sorted JSON.
  CREATE TABLE label_sets (id INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE events (
    id INTEGER PRIMARY KEY, stored_ms INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, window_start_ms INTEGER NOT NULL, window_end_ms INTEGER NOT NULL, count INTEGER NOT NULL,
    ref TEXT, point TEXT NOT NULL,
    object TEXT NOT NULL, object_labels_id INTEGER NOT NULL REFERENCES label_sets (id),
    source TEXT NOT NULL, source_port INTEGER, source_workloads TEXT NOT NULL, source_networks TEXT NOT NULL,
    source_labels_id INTEGER NOT NULL REFERENCES label_sets (id), labels_revision INTEGER, peer TEXT,
    port TEXT NOT NULL, method TEXT, path TEXT, truncated INTEGER NOT NULL, host TEXT,
    verdict TEXT NOT NULL, reason TEXT NOT NULL, rule TEXT, revision INTEGER NOT NULL, nearest_rule TEXT, missed TEXT
  ) STRICT;
  CREATE INDEX events_time ON events (time_ms);
  CREATE INDEX events_source ON events (source);
  CREATE INDEX events_ref ON events (ref) WHERE ref IS NOT NULL;
`;

/** null: it is none of this ledger's. Throws what SQLite throws. */
export function openDayFile(options: DayFileOptions): DayFile | null {
  // Addresses of people stand in it: ours alone, whatever the umask says.
  closeSync(openSync(options.file, 'a', 0o600));
  const db = new DatabaseSync(options.file, { timeout: options.timeoutMs });
  try {
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${options.synchronous}`);
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    if (version === 0 && options.isNew) inTransaction(db, () => make(db, options.ledgerId));
    if (version > 0 || options.isNew) {
      const owner = db.prepare('SELECT ledger_id AS id FROM belongs_to').get()?.id;
      if (owner === options.ledgerId && version <= format) return dayFileIn(db, options.file);
    }
  } catch (thrown) {
    db.close();
    throw thrown;
  }
  db.close();
  return null;
}

function make(db: DatabaseSync, ledgerId: string): void {
  // Another process may have made it meanwhile.
  if (Number(db.prepare('PRAGMA user_version').get()?.user_version) !== 0) return;
  db.exec(schema);
  db.prepare('INSERT INTO belongs_to VALUES (?)').run(ledgerId);
  db.exec(`PRAGMA user_version = ${format}`);
}

function dayFileIn(db: DatabaseSync, file: string): DayFile {
  const sets = labelSets(db);
  const setOf = labelReader(db);
  const add = db.prepare(insertEvent);
  const dropAbove = db.prepare('DELETE FROM events WHERE id > ?');
  return {
    insert(denials, standsAt) {
      try {
        inTransaction(db, () => {
          dropAbove.run(standsAt);
          for (const { id, event, storedMs } of denials) add.run(id, ...rowOf(event, storedMs, sets.id));
        });
      } catch (thrown) {
        sets.forget();
        throw thrown;
      }
    },
    select(query, standsAt) {
      const { sql, parameters } = denialSelect(query, standsAt);
      const rows = db.prepare(sql).all(parameters);
      return rows.map((row) => denialOf(row, setOf));
    },
    search: daySearch(db),
    isThere: () => existsSync(file),
    close: () => db.close(),
  };
}

function labelSets(db: DatabaseSync): { id(labels: Record<string, string>): number; forget(): void } {
  const find = db.prepare('SELECT id FROM label_sets WHERE labels = ?');
  const add = db.prepare('INSERT INTO label_sets (labels) VALUES (?)');
  const known = new Map<string, number>();
  return {
    id(labels) {
      const text = labelText(labels);
      const id = Number(known.get(text) ?? find.get(text)?.id ?? add.run(text).lastInsertRowid);
      if (known.size >= maxCachedSets) known.clear();
      known.set(text, id);
      return id;
    },
    // A set that was interned in a transaction that came to nothing is not there.
    forget: () => known.clear(),
  };
}
