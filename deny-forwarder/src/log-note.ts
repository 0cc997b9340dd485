/**
 * How far the log was read, as the note that the spool keeps with exactly the records that were read by then: after a kill
 * each line is in the spool or still to be read, and never both. A note has 6,000 bytes, so files that are done and no longer
 * there are left out of it. Pure.
 */
import { type CursorChange, type FileCursor, fileKey } from '@edgeward/deny-log';

/** Of at most 21 bytes each for device and inode, so that all of them fit. */
const MOST_CURSORS = 64;
/** Of the log and what was rotated away, the newest: with those that are gone each has its cursor for as long as it is read. */
export const MOST_FILES = 48;

const STATES = ['reading', 'done', 'copy'] as const;

/** Device, inode, offset, length and CRC of the head, whether it stands in an overlong line, state. */
type Packed = [string, string, number, number, number, 0 | 1, number];

export function noteOf(cursors: readonly FileCursor[]): string {
  const packed = cursors.map(
    ({ dev, inode, offset, headLength, headCrc, skipping, state }): Packed => [
      ...([dev, inode, offset, headLength, headCrc] as const),
      ...([skipping ? 1 : 0, STATES.indexOf(state)] as const),
    ],
  );
  return JSON.stringify({ v: 1, cursors: packed });
}

/** Without a note there are none. What is read here was written by `noteOf`. */
export function cursorsIn(note: string | null): FileCursor[] {
  if (note === null) return [];
  const { cursors } = JSON.parse(note) as { cursors: Packed[] };
  return cursors.map(([dev, inode, offset, headLength, headCrc, skipping, state]) => ({
    ...{ dev, inode, offset, headLength, headCrc },
    ...{ skipping: skipping === 1, state: STATES[state] ?? 'done' },
  }));
}

/** The one that moved last at the end. Of too many those go that are done, the oldest first. */
export function moved(cursors: readonly FileCursor[], changes: readonly CursorChange[]): FileCursor[] {
  const byKey = new Map(cursors.map((cursor) => [fileKey(cursor), cursor]));
  for (const { cursor } of changes) {
    byKey.delete(fileKey(cursor));
    byKey.set(fileKey(cursor), cursor);
  }
  const all = [...byKey.values()];
  let tooMany = all.length - MOST_CURSORS;
  return all.filter(({ state }) => {
    const goes = tooMany > 0 && state !== 'reading';
    if (goes) tooMany -= 1;
    return !goes;
  });
}
