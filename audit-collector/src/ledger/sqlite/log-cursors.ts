/**
 * How far each log file was read. A cursor moves only from where it is said to stand, in the transaction that stores what
 * was read.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { CursorChange, FileCursor } from '@edgeward/deny-log';
import { contendedLedger } from '../ledger-error.ts';

/** Far more than the rotations that anyone keeps; a forgotten one that is still there would be read again. */
const maxCursors = 10_000;

export interface LogCursors {
  read(point: string, log: string): FileCursor[];
  /** Within a transaction. */
  move(batch: { point: string; log: string; storedMs: number }, change: CursorChange): void;
}

export function logCursors(db: DatabaseSync): LogCursors {
  const read = db.prepare(`SELECT dev, inode, offset, head_length AS headLength, head_crc AS headCrc, skipping, state
    FROM cursors WHERE point = ? AND log = ? ORDER BY updated_ms DESC LIMIT ${maxCursors}`);
  const stands = db.prepare('SELECT offset FROM cursors WHERE point = ? AND log = ? AND dev = ? AND inode = ?');
  const put = db.prepare('INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  return {
    read(point, log) {
      const found = read.all(point, log) as unknown as (Omit<FileCursor, 'skipping'> & { skipping: number })[];
      return found.map((row) => ({ ...row, skipping: row.skipping === 1 }));
    },
    move({ point, log, storedMs }, { from, cursor }) {
      const { dev, inode, offset, headLength, headCrc, skipping, state } = cursor;
      if ((stands.get(point, log, dev, inode)?.offset ?? null) !== from) throw contendedLedger(point, log);
      put.run(point, log, dev, inode, offset, headLength, headCrc, Number(skipping), state, storedMs);
    },
  };
}
