/**
 * Which file is which, after renames, copies and restarts. A log file is known by device and inode, and by the checksum
 * of its first bytes, because inodes are used again. Pure: given what was read so far and what lies in the folder now, it
 * says what to read from where, and what may have been lost.
 */
import { crc32 } from 'node:zlib';

export interface FileCursor {
  /** Decimal; a 64-bit inode does not fit a JavaScript number. */
  dev: string;
  inode: string;
  /** Bytes read so far. Everything before them is stored. */
  offset: number;
  /** CRC-32 of the first `headLength` bytes; at most 256, and never more than were read. */
  headLength: number;
  headCrc: number;
  /** The offset is inside an overlong line whose beginning was handed out already. */
  skipping: boolean;
  /** `done`: rotated away and quiet. `copy`: holds what is read from another file. */
  state: 'reading' | 'done' | 'copy';
}

/** A file in the log's folder. */
export interface Candidate {
  dev: string;
  inode: string;
  size: number;
  modifiedMs: number;
  head: Buffer;
  /** It stands at the log's own path. */
  current: boolean;
}

/** truncated: shorter than what was read. replaced: other first bytes. gone: not found. Each may have lost lines. */
export type LossCause = (typeof lossCauses)[number];

export const lossCauses = ['truncated', 'replaced', 'gone'] as const;

export interface Loss {
  cause: LossCause;
  inode: string;
  /** How far the file was read. */
  offset: number;
}

export interface ScanPlan {
  /** What to read, oldest first, the log itself last. */
  read: { candidate: Candidate; cursor: FileCursor }[];
  /** Every cursor that is new or differs from the stored one. */
  changed: FileCursor[];
  losses: Loss[];
}

export const maxHeadBytes = 256;
/** Shorter heads may be equal by chance; a record is longer, and its time and reference are its own. */
const minHeadBytes = 64;

export const fileKey = (file: { dev: string; inode: string }): string => `${file.dev}:${file.inode}`;

/** The checksum covers only what was read: a file that grows keeps its identity. */
export function withHead(cursor: FileCursor, head: Buffer): FileCursor {
  const headLength = Math.min(maxHeadBytes, cursor.offset, head.length);
  return { ...cursor, headLength, headCrc: crc32(head.subarray(0, headLength)) };
}

export function headMatches(cursor: FileCursor, head: Buffer): boolean {
  return head.length >= cursor.headLength && crc32(head.subarray(0, cursor.headLength)) === cursor.headCrc;
}

export function planScan(stored: readonly FileCursor[], found: readonly Candidate[]): ScanPlan {
  const ordered = found.toSorted((a, b) => Number(a.current) - Number(b.current) || a.modifiedMs - b.modifiedMs);
  const byKey = new Map(ordered.map((candidate) => [fileKey(candidate), candidate]));
  const isHeld = (cursor: FileCursor): boolean => {
    const candidate = byKey.get(fileKey(cursor));
    return cursor.state !== 'copy' && candidate !== undefined && isIntact(cursor, candidate);
  };
  const held = new Set(stored.filter(isHeld));
  const claimed = new Set<FileCursor>();
  const plan: ScanPlan = { read: [], changed: [], losses: [] };
  for (const candidate of ordered) {
    if (isBegun(candidate, stored)) continue;
    const cursor = cursorOf(candidate, stored, held, claimed);
    if (!sameCursor(cursor, stored)) plan.changed.push(cursor);
    if (cursor.state === 'reading') plan.read.push({ candidate, cursor });
  }
  settleMissing(plan, stored, byKey, held, claimed);
  return plan;
}

/** Too short to tell whose copy it is going to be: looked at again when the log that is being copied was truncated. */
function isBegun({ current, head, ...file }: Candidate, stored: readonly FileCursor[]): boolean {
  return !current && head.length < minHeadBytes && !stored.some((cursor) => fileKey(cursor) === fileKey(file));
}

function cursorOf(
  candidate: Candidate,
  stored: readonly FileCursor[],
  held: ReadonlySet<FileCursor>,
  claimed: Set<FileCursor>,
): FileCursor {
  const { dev, inode, size } = candidate;
  const own = stored.find((cursor) => fileKey(cursor) === fileKey(candidate) && headMatches(cursor, candidate.head));
  // A file that was done and grew again is read on: whatever wrote it may have kept it open for long.
  if (own && held.has(own)) return own.state === 'done' && size > own.offset ? { ...own, state: 'reading' } : own;
  // Cut short but not begun anew: what is left was read.
  if (own && own.state !== 'copy') return { ...own, offset: size, state: 'reading' };
  const origin = originOf(candidate, stored, held);
  if (!origin) return own ?? { dev, inode, offset: 0, headLength: 0, headCrc: 0, skipping: false, state: 'reading' };
  if (held.has(origin) || claimed.has(origin) || size < origin.offset) return { ...origin, dev, inode, state: 'copy' };
  // What was read here lies in another file now: copied before a truncation, moved, or the device got a new number.
  claimed.add(origin);
  return { ...origin, dev, inode, state: 'reading' };
}

/** The cursor whose content this file begins with: one whose own file is still there, else the furthest. */
function originOf(
  candidate: Candidate,
  stored: readonly FileCursor[],
  held: ReadonlySet<FileCursor>,
): FileCursor | undefined {
  const sameHead = (cursor: FileCursor): boolean =>
    cursor.state !== 'copy' && cursor.headLength >= minHeadBytes && headMatches(cursor, candidate.head);
  const rank = (a: FileCursor, b: FileCursor): number =>
    Number(held.has(b)) - Number(held.has(a)) || b.offset - a.offset;
  return stored.filter(sameHead).toSorted(rank)[0];
}

function settleMissing(
  plan: ScanPlan,
  stored: readonly FileCursor[],
  byKey: ReadonlyMap<string, Candidate>,
  held: ReadonlySet<FileCursor>,
  claimed: ReadonlySet<FileCursor>,
): void {
  for (const cursor of stored) {
    if (cursor.state !== 'reading' || held.has(cursor)) continue;
    const { inode, offset } = cursor;
    const successor = byKey.get(fileKey(cursor));
    if (successor === undefined) plan.changed.push({ ...cursor, state: 'done' });
    if (successor !== undefined) {
      plan.losses.push({ cause: successor.size < offset ? 'truncated' : 'replaced', inode, offset });
    } else if (!claimed.has(cursor)) plan.losses.push({ cause: 'gone', inode, offset });
  }
}

const isIntact = (cursor: FileCursor, candidate: Candidate): boolean =>
  candidate.size >= cursor.offset && headMatches(cursor, candidate.head);

function sameCursor(cursor: FileCursor, stored: readonly FileCursor[]): boolean {
  const known = stored.find((other) => fileKey(other) === fileKey(cursor));
  if (known === undefined) return false;
  if (known.state === 'copy' && cursor.state === 'copy') return true;
  return known.offset === cursor.offset && known.headCrc === cursor.headCrc && known.state === cursor.state;
}
