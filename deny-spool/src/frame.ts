/**
 * The bytes of a segment: a header with the spool's epoch, then frames. A frame is what one append brought, whole or not at
 * all: its length, a CRC-32 of the rest, its turn, the number of its first record, a note, and the records. Pure.
 */
import { crc32 } from 'node:zlib';

export interface Frame {
  /** Grows with everything that is written, so that of two places that tell of the spool the later one is known. */
  turn: number;
  /** Number of the first record, also where there is none. */
  first: number;
  records: readonly string[];
  /** What the writer wants to find again with exactly these records; null keeps the note before. */
  note: string | null;
}

export interface FoundFrames {
  frames: Frame[];
  /** Up to here all is whole. */
  bytes: number;
}

const MAGIC = 'edgeward-spool-1';
const EPOCH = /^[0-9a-f]{32}$/;
export const HEADER_BYTES: number = MAGIC.length + 32;
/** Length and CRC. */
const PREFIX_BYTES = 8;
/** Turn, first number, number of records, length of the note. */
const FIXED_BYTES = 20;
/** A note of none differs from an empty one. */
const NO_NOTE = 0xffff_ffff;
export const MAX_FRAME_BYTES: number = 4 * 1024 * 1024;
const LONG_CHARS = 4096;

export function headerOf(epoch: string): Buffer {
  return Buffer.from(MAGIC + epoch, 'latin1');
}

/** Null where the segment is not one, or was cut off before its header was whole. */
export function epochIn(segment: Buffer): string | null {
  if (segment.toString('latin1', 0, MAGIC.length) !== MAGIC) return null;
  const epoch = segment.toString('latin1', MAGIC.length, HEADER_BYTES);
  return EPOCH.test(epoch) ? epoch : null;
}

/** One after the other, in memory that is taken once: a buffer a record cost more than what stands in it. */
export function encodeFrames(frames: readonly Frame[]): Buffer {
  const bytes = Buffer.allocUnsafe(frames.reduce((size, frame) => size + mostBytes(frame), 0));
  return bytes.subarray(
    0,
    frames.reduce((at, frame) => writeFrame(bytes, at, frame), 0),
  );
}

/** A UTF-16 unit is three bytes of UTF-8 at most; what is long is counted. */
function mostBytes({ records, note }: Frame): number {
  const texts = records.reduce((size, record) => size + 4 + mostTextBytes(record), mostTextBytes(note ?? ''));
  return PREFIX_BYTES + FIXED_BYTES + texts;
}

const mostTextBytes = (text: string): number => (text.length > LONG_CHARS ? Buffer.byteLength(text) : text.length * 3);

/** Answers where it ends. */
function writeFrame(bytes: Buffer, start: number, { turn, first, records, note }: Frame): number {
  const body = start + PREFIX_BYTES;
  bytes.writeUIntLE(turn, body, 6);
  bytes.writeUIntLE(first, body + 6, 6);
  bytes.writeUInt32LE(records.length, body + 12);
  const noteBytes = note === null ? 0 : bytes.write(note, body + FIXED_BYTES);
  bytes.writeUInt32LE(note === null ? NO_NOTE : noteBytes, body + 16);
  let at = body + FIXED_BYTES + noteBytes;
  for (const record of records) {
    const length = bytes.write(record, at + 4);
    bytes.writeUInt32LE(length, at);
    at += 4 + length;
  }
  bytes.writeUInt32LE(at - body, start);
  bytes.writeUInt32LE(crc32(bytes.subarray(body, at)), start + 4);
  return at;
}

/** All whole frames from the start of a segment: what a kill cut off, or a disk changed, ends them. */
export function decodeFrames(segment: Buffer): FoundFrames {
  const frames: Frame[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const frame = frameAt(segment, at);
    if (frame === null) return { frames, bytes: Math.min(at, segment.length) };
    frames.push(frame.frame);
    at = frame.end;
  }
}

function frameAt(segment: Buffer, at: number): { frame: Frame; end: number } | null {
  if (at + PREFIX_BYTES + FIXED_BYTES > segment.length) return null;
  const length = segment.readUInt32LE(at);
  const end = at + PREFIX_BYTES + length;
  if (length < FIXED_BYTES || length > MAX_FRAME_BYTES || end > segment.length) return null;
  const body = segment.subarray(at + PREFIX_BYTES, end);
  if (crc32(body) !== segment.readUInt32LE(at + 4)) return null;
  const frame = frameOf(body);
  return frame === null ? null : { frame, end };
}

/** Null where lengths point outside: no writer of ours wrote this, whatever its CRC says. */
function frameOf(body: Buffer): Frame | null {
  const [turn, first, count, told] = [
    body.readUIntLE(0, 6),
    body.readUIntLE(6, 6),
    body.readUInt32LE(12),
    body.readUInt32LE(16),
  ];
  const noteEnd = FIXED_BYTES + (told === NO_NOTE ? 0 : told);
  const records: string[] = [];
  let at = noteEnd;
  while (records.length < count) {
    if (at + 4 > body.length) return null;
    const end = at + 4 + body.readUInt32LE(at);
    if (end > body.length) return null;
    records.push(body.toString('utf8', at + 4, end));
    at = end;
  }
  if (at !== body.length) return null;
  return { turn, first, records, note: told === NO_NOTE ? null : body.toString('utf8', FIXED_BYTES, noteEnd) };
}
