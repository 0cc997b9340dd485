/**
 * Denials on disk until whoever stores them has said so. Each record gets the next number; no number is ever given to two
 * contents that anybody saw, over kills and damage. What was acknowledged as written is on disk. Where there is no room the
 * newest is shed: added up, kept in place of its own that needs no room, and told by one record with a number as soon as
 * there is room again. An append is never refused and never waits for room. One process opens a folder at a time. Nothing
 * here knows what a record says.
 */
import { randomBytes } from 'node:crypto';
import { createWorkQueue, makeFolder, stateWriteError } from '@edgeward/runtime';
import { type Frame, MAX_FRAME_BYTES } from './frame.ts';
import { epochOnDisk, openSegments, type Segments } from './segments.ts';
import { MAX_NOTE_BYTES, openStandingFile, type Shed, type Standing, type StandingFile } from './standing.ts';

export interface DenySpoolOptions {
  folder: string;
  /** Of all segments: 64 MiB. */
  maxBytes?: number;
  /** A segment that has this much is followed by another: 1 MiB. */
  segmentBytes?: number;
  /** The record that tells of what could not be kept. */
  gapRecord(shed: Shed): string;
}

/** Whole or not at all. */
export interface Entry {
  records: readonly string[];
  /** What the records stand for, so many denials: added up where they can't be kept. */
  count: number;
  fromMs: number;
  toMs: number;
  /** Found again after a kill with exactly the records that were kept or shed by then. At most 6,000 bytes. */
  note?: string;
}

/** `shed`: it is added up, and there will be a record of it. */
export type Appended = { state: 'written'; first: number; next: number } | { state: 'shed' };

export interface StoredRecord {
  seq: number;
  record: string;
}

export interface ReadBounds {
  records: number;
  /** At least one record comes, whatever its size. */
  bytes: number;
}

export interface SpoolStatus {
  /** Records that were not acknowledged yet. */
  pending: number;
  bytes: number;
  /** What is added up and has no record yet. */
  shed: Shed | null;
  /** Cut off or set aside when the spool was opened: writes that a kill interrupted, or damage. */
  tornBytes: number;
  /** Why the last append was shed; null where it was written. */
  cause: 'spool-full' | 'disk' | null;
}

export interface DenySpool {
  /** 32 hex; numbers mean nothing without it. */
  readonly epoch: string;
  note(): string | null;
  append(entry: Entry): Promise<Appended>;
  /** From the first that was not acknowledged. */
  read(bounds: ReadBounds): Promise<StoredRecord[]>;
  /** Everything up to this number is stored elsewhere. */
  acknowledge(seq: number): Promise<void>;
  status(): SpoolStatus;
  close(): Promise<void>;
}

/** What waits while the disk takes its time. More is shed, so that a disk that hangs holds nobody up. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const RECLAIM_BYTES = 64 * 1024;
/** With room for the record of what was shed. */
const MAX_ENTRY_BYTES = MAX_FRAME_BYTES - 64 * 1024;

interface Waiting {
  entry: Entry;
  bytes: number;
  settle(appended: Appended): void;
}

/** Throws EDW_ERR_STATE_WRITE where the folder can't be had. */
export async function openDenySpool(options: DenySpoolOptions): Promise<DenySpool> {
  const { folder } = options;
  await makeFolder(folder);
  try {
    const file = await openStandingFile(folder);
    // Whoever can't have it tries again and again: nothing of a try may stay open.
    return await spoolWith(options, file).catch(async (thrown: unknown) => {
      await file.close();
      throw thrown;
    });
  } catch (thrown) {
    throw stateWriteError(folder, thrown);
  }
}

async function spoolWith(options: DenySpoolOptions, file: StandingFile): Promise<DenySpool> {
  const { folder } = options;
  const epoch = file.found?.epoch ?? (await epochOnDisk(folder)) ?? randomBytes(16).toString('hex');
  const segments = await openSegments(folder, epoch);
  const spool = spoolOf(options, segments, file, standingOf(epoch, file.found, segments));
  // The epoch is on disk before a number of it is given.
  await spool.settle();
  return spool;
}

/** The file tells of what was shed last, unless a frame came after it: that frame has the record of it. */
function standingOf(epoch: string, found: Standing | null, { lastFrame, note }: Segments): Standing {
  const fresh: Standing = { epoch, turn: 0, acknowledged: 0, handedOut: 0, shed: null, note: null };
  const standing = found ?? fresh;
  if (lastFrame === null || standing.turn >= lastFrame.turn) return standing;
  return { ...standing, turn: lastFrame.turn, shed: null, note: note ?? standing.note };
}

function spoolOf(
  options: DenySpoolOptions,
  segments: Segments,
  file: StandingFile,
  found: Standing,
): DenySpool & { settle(): Promise<void> } {
  const { maxBytes = 64 * 1024 * 1024, segmentBytes = 1024 * 1024, gapRecord } = options;
  const queue = createWorkQueue();
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  /** Somebody will take what waits. */
  let isDraining = false;
  let standing = found;
  let cause: SpoolStatus['cause'] = null;
  let closed = false;
  let next = 1 + Math.max(standing.acknowledged, standing.handedOut, (segments.list.at(-1)?.next ?? 1) - 1);
  // What lies before the oldest segment went because it was acknowledged.
  standing = { ...standing, acknowledged: Math.max(standing.acknowledged, (segments.list[0]?.first ?? 1) - 1) };

  /** Everything that came meanwhile, by one write. */
  async function drain(): Promise<void> {
    isDraining = false;
    const taken = waiting.splice(0);
    if (taken.length === 0) return;
    waitingBytes = 0;
    const { frames, end } = framesOf(taken);
    const size = taken.reduce((total, { bytes }) => total + bytes, 0);
    try {
      if (!hasRoom(size)) {
        await shed(taken, 'spool-full');
        return;
      }
      await segments.add(frames, wantsFresh());
    } catch {
      await shed(taken, 'disk');
      return;
    }
    const last = frames.at(-1);
    const note = frames.findLast((frame) => frame.note !== null)?.note ?? standing.note;
    standing = { ...standing, turn: last?.turn ?? standing.turn, shed: null, note };
    cause = null;
    next = end;
    await dropAcknowledged();
    for (const [index, { settle }] of taken.entries()) {
      const { first = end, records = [] } = frames[index] ?? {};
      settle({ state: 'written', first, next: first + records.length });
    }
  }

  function framesOf(taken: readonly Waiting[]): { frames: Frame[]; end: number } {
    let [turn, end] = [standing.turn, next];
    const frames = taken.map(({ entry }, index): Frame => {
      const gap = index === 0 && standing.shed !== null ? [gapRecord(standing.shed)] : [];
      const records = [...gap, ...entry.records];
      turn += 1;
      const frame = { turn, first: end, records, note: entry.note ?? null };
      end += records.length;
      return frame;
    });
    return { frames, end };
  }

  const hasRoom = (size: number): boolean => segments.totalBytes() + size <= maxBytes;

  /** Also where all of the last segment is acknowledged: the room that it takes can be had back. */
  function wantsFresh(): boolean {
    const last = segments.list.at(-1);
    if (last === undefined) return true;
    return last.bytes >= segmentBytes || (last.bytes >= RECLAIM_BYTES && last.next <= standing.acknowledged + 1);
  }

  async function shed(taken: readonly Waiting[], why: SpoolStatus['cause']): Promise<void> {
    for (const { entry } of taken) {
      standing = {
        ...standing,
        turn: standing.turn + 1,
        shed: entry.count === 0 ? standing.shed : addedUp(standing.shed, entry),
        note: entry.note ?? standing.note,
      };
    }
    cause = why;
    // Kept in memory where even this fails; the next one writes it.
    await file.write(standing).catch(() => {});
    for (const { settle } of taken) settle({ state: 'shed' });
  }

  async function dropAcknowledged(): Promise<void> {
    await segments.dropBefore(standing.acknowledged + 1).catch(() => {}); // tried again with the next
  }

  return {
    epoch: standing.epoch,
    note: () => standing.note,
    append: (entry) => {
      const bytes = sizeOf(entry);
      return new Promise((settle) => {
        const cause = bytes > MAX_ENTRY_BYTES ? 'spool-full' : waitingBytes + bytes > MAX_WAITING_BYTES ? 'disk' : null;
        if (cause !== null) {
          void queue.run(() => shed([{ entry, bytes, settle }], cause));
          return;
        }
        waiting.push({ entry, bytes, settle });
        waitingBytes += bytes;
        if (isDraining) return;
        isDraining = true;
        void queue.run(drain);
      });
    },
    read: (bounds) =>
      queue.run(async () => {
        const found = await readFrom(segments, standing.acknowledged + 1, bounds);
        const handedOut = found.at(-1)?.seq ?? 0;
        if (handedOut > standing.handedOut) {
          standing = { ...standing, handedOut };
          await file.write(standing, true).catch(() => {});
        }
        return found;
      }),
    acknowledge: (seq) =>
      queue.run(async () => {
        if (seq <= standing.acknowledged || seq >= next) return;
        standing = { ...standing, acknowledged: seq };
        await file.write(standing, true).catch(() => {});
        await dropAcknowledged();
      }),
    status: () => ({
      pending: next - 1 - standing.acknowledged,
      bytes: segments.totalBytes(),
      shed: standing.shed,
      tornBytes: segments.tornBytes,
      cause,
    }),
    settle: () => file.write(standing),
    close: async () => {
      if (closed) return;
      closed = true;
      await queue.settled();
      await segments.close();
      await file.close();
    },
  };
}

function addedUp(shed: Shed | null, { count, fromMs, toMs }: Entry): Shed {
  if (shed === null) return { count, fromMs, toMs };
  return { count: shed.count + count, fromMs: Math.min(shed.fromMs, fromMs), toMs: Math.max(shed.toMs, toMs) };
}

function sizeOf({ records, note = '' }: Entry): number {
  if (Buffer.byteLength(note) > MAX_NOTE_BYTES) throw new Error('a note of a spool is too long');
  return records.reduce((total, record) => total + 4 + Buffer.byteLength(record), 64 + Buffer.byteLength(note));
}

/** Over segments until a bound is reached; what one lost by damage is passed over. */
async function readFrom(segments: Segments, from: number, bounds: ReadBounds): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  let size = 0;
  for (const segment of segments.list) {
    if (segment.next <= from) continue;
    for (const stored of numbered(await segments.read(segment))) {
      if (stored.seq < from) continue;
      size += Buffer.byteLength(stored.record);
      // At least one, whatever its size.
      if (found.length > 0 && (found.length >= bounds.records || size > bounds.bytes)) return found;
      found.push(stored);
    }
  }
  return found;
}

function numbered(frames: readonly Frame[]): StoredRecord[] {
  return frames.flatMap(({ first, records }) => records.map((record, index) => ({ seq: first + index, record })));
}
