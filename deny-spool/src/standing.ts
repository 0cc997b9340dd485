/**
 * Where a spool stands, in a small file whose bytes were all written when it was made: overwritten in place, it can be written
 * when the disk has no room left. Two slots take turns, so that a write that is cut off leaves the one before. A file system
 * that copies on write may still refuse; then the next write tries again.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncFolder } from '@edgeward/runtime';

/** What could not be kept, as one. */
export interface Shed {
  /** What the entries said that they stand for. */
  count: number;
  fromMs: number;
  toMs: number;
}

export interface Standing {
  /** 32 hex. */
  epoch: string;
  /** That of the last frame, or a later one where the last entry was shed. */
  turn: number;
  /** All records up to here are stored elsewhere. */
  acknowledged: number;
  /** The highest number that was ever read: no other content may come under it. */
  handedOut: number;
  shed: Shed | null;
  note: string | null;
}

export interface StandingFile {
  /** Null where there is none that is whole. */
  readonly found: Standing | null;
  /** Durable when it settles, unless `lazy`: then a power failure may take it back. */
  write(standing: Standing, lazy?: boolean): Promise<void>;
  close(): Promise<void>;
}

const SLOT_BYTES = 8192;
const PREFIX_BYTES = 8;
/** Leaves room for the rest of a slot. */
export const MAX_NOTE_BYTES: number = 6000;

export async function openStandingFile(folder: string): Promise<StandingFile> {
  const file = await open(join(folder, 'standing'), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    return await standingIn(file, folder);
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

async function standingIn(file: FileHandle, folder: string): Promise<StandingFile> {
  const content = Buffer.alloc(2 * SLOT_BYTES);
  const { bytesRead } = await file.read(content, 0, content.length, 0);
  if (bytesRead < content.length) {
    // All of it now, while there is room.
    await file.write(content, 0, content.length, 0);
    await file.sync();
    await syncFolder(folder);
  }
  const slots = [0, 1].flatMap((slot) => slotIn(content, slot) ?? []);
  const last = slots.reduce<Slot | null>((a, b) => (a === null || b.stamp > a.stamp ? b : a), null);
  let stamp = last?.stamp ?? 0;
  return {
    found: last?.standing ?? null,
    write: async (standing, lazy = false) => {
      const next = stamp + 1;
      const bytes = slotBytes({ stamp: next, standing });
      await file.write(bytes, 0, bytes.length, (next % 2) * SLOT_BYTES);
      if (!lazy) await file.datasync();
      stamp = next;
    },
    close: () => file.close(),
  };
}

interface Slot {
  stamp: number;
  standing: Standing;
}

function slotBytes(slot: Slot): Buffer {
  const body = Buffer.from(JSON.stringify(slot));
  if (PREFIX_BYTES + body.length > SLOT_BYTES) throw new Error(`a spool's note leaves no room: ${body.length} bytes`);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32LE(body.length, 0);
  prefix.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([prefix, body]);
}

function slotIn(content: Buffer, slot: number): Slot | null {
  const bytes = content.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES);
  const length = bytes.readUInt32LE(0);
  if (length === 0 || PREFIX_BYTES + length > SLOT_BYTES) return null;
  const body = bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
  // What has this CRC was written by `slotBytes`.
  return crc32(body) === bytes.readUInt32LE(4) ? (JSON.parse(body.toString('utf8')) as Slot) : null;
}
