/**
 * How far each log file was read. A cursor moves only from where it is said to stand, in the transaction that stores what
 * was read.
 */
import type { CursorChange, FileCursor } from '@edgeward/deny-log';
import { contendedLedger } from '../ledger-error.ts';
import { timeOf } from './event-rows.ts';
import type { Asking } from './session.ts';
import { storedName, storedText } from './stored-text.ts';

/** Far more than the rotations that anyone keeps; a forgotten one that is still there would be read again. */
const maxCursors = 10_000;

const logOf = (point: string, log: string): string[] => [point, log].map((text) => storedName(storedText(text)));

export function cursorsOf(asking: Asking, point: string, log: string): Promise<FileCursor[]> {
  return asking.rows<FileCursor>(
    `SELECT dev, inode, "offset", head_length AS "headLength", head_crc AS "headCrc", skipping, state
    FROM cursors WHERE point = $1 AND log = $2 ORDER BY updated_at DESC LIMIT ${maxCursors}`,
    logOf(point, log),
  );
}

/** Within a transaction. */
export async function moveCursor(
  asking: Asking,
  { point, log, storedMs }: { point: string; log: string; storedMs: number },
  { from, cursor }: CursorChange,
): Promise<void> {
  const { dev, inode, offset, headLength, headCrc, skipping, state } = cursor;
  const file = [...logOf(point, log), dev, inode];
  const [stands] = await asking.rows<{ offset: number }>(
    'SELECT "offset" FROM cursors WHERE point = $1 AND log = $2 AND dev = $3 AND inode = $4',
    file,
  );
  if ((stands?.offset ?? null) !== from) throw contendedLedger(point, log);
  await asking.rows(
    `INSERT INTO cursors (point, log, dev, inode, "offset", head_length, head_crc, skipping, state, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ${timeOf('$10')})
    ON CONFLICT (point, log, dev, inode) DO UPDATE SET "offset" = excluded."offset", head_length = excluded.head_length,
      head_crc = excluded.head_crc, skipping = excluded.skipping, state = excluded.state,
      updated_at = excluded.updated_at`,
    [...file, offset, headLength, headCrc, skipping, state, storedMs],
  );
}
