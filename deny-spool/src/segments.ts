/**
 * The segment files of a spool, named by the number of their first record. Frames are added to the last one and are on disk
 * when an addition settles; one that fails leaves the file as it was. What a kill left half-written is cut off when they are
 * opened, and told. Which records are still needed is decided elsewhere.
 */
import { constants, type FileHandle, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '@edgeward/runtime';
import { decodeFrames, encodeFrames, epochIn, type Frame, HEADER_BYTES, headerOf } from './frame.ts';

interface Segment {
  readonly path: string;
  readonly first: number;
  /** Number that would follow its last record. */
  next: number;
  /** On disk and whole. */
  bytes: number;
}

export interface Segments {
  readonly list: readonly Segment[];
  /** Whole frames of all segments, oldest first, as they were found. */
  readonly lastFrame: Frame | null;
  /** The newest note that a frame has. */
  readonly note: string | null;
  /** Cut off or set aside when they were opened. */
  readonly tornBytes: number;
  totalBytes(): number;
  /** Adds to the last segment, or begins one at the first frame's number. */
  add(frames: readonly Frame[], fresh: boolean): Promise<void>;
  /** Whole frames of one segment. */
  read(segment: Segment): Promise<Frame[]>;
  /** Takes away the segments before the last that hold nothing from this number on. */
  dropBefore(seq: number): Promise<void>;
  close(): Promise<void>;
}

/** What a write says is written is on disk, as after `fdatasync`; and that needs no second call, which waits for a thread again. */
const SYNCED = constants.O_RDWR | constants.O_DSYNC;
const NAME = /^(\d{16})\.segment$/;

export async function openSegments(folder: string, epoch: string): Promise<Segments> {
  const found = await findSegments(folder, epoch);
  const list = found.list;
  let file: FileHandle | null = null;

  async function begin(first: number): Promise<{ segment: Segment; file: FileHandle }> {
    const path = join(folder, `${String(first).padStart(16, '0')}.segment`);
    // An empty one of the same name has nothing that anyone was told of.
    const opened = await open(path, SYNCED | constants.O_CREAT | constants.O_TRUNC, 0o600);
    try {
      await opened.write(headerOf(epoch));
      await syncFolder(folder);
    } catch (thrown) {
      await opened.close();
      await rm(path, { force: true });
      throw thrown;
    }
    return { segment: { path, first, next: first, bytes: HEADER_BYTES }, file: opened };
  }

  async function lastFor(first: number, fresh: boolean): Promise<{ segment: Segment; file: FileHandle }> {
    const last = list.at(-1);
    if (last === undefined || (fresh && last.next > last.first) || last.next !== first) {
      const begun = await begin(first);
      await file?.close();
      file = begun.file;
      list.push(begun.segment);
      return begun;
    }
    file ??= await open(last.path, SYNCED);
    return { segment: last, file };
  }

  return {
    list,
    lastFrame: found.lastFrame,
    note: found.note,
    tornBytes: found.tornBytes,
    totalBytes: () => list.reduce((total, { bytes }) => total + bytes, 0),
    add: async (frames, fresh) => {
      const { segment, file: to } = await lastFor(frames[0]?.first ?? 0, fresh);
      const bytes = encodeFrames(frames);
      try {
        await writeAt(to, bytes, segment.bytes);
      } catch (thrown) {
        // Whoever reads finds nothing of it; where even that fails, the next frame is written over it.
        await to.truncate(segment.bytes).catch(() => {});
        throw thrown;
      }
      segment.bytes += bytes.length;
      segment.next = frames.reduce((next, { first, records }) => Math.max(next, first + records.length), segment.next);
    },
    read: async ({ path, bytes }) => decodeFrames((await readFile(path)).subarray(0, bytes)).frames,
    dropBefore: async (seq) => {
      while (list.length > 1 && (list[0]?.next ?? seq) <= seq) {
        await rm(list[0]?.path ?? '', { force: true });
        list.shift();
      }
    },
    close: async () => {
      await file?.close();
      file = null;
    },
  };
}

/** A disk that is nearly full takes the beginning of what it is given. */
async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** The epoch that the newest whole segment names. */
export async function epochOnDisk(folder: string): Promise<string | null> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  for (const name of names.reverse()) {
    const epoch = epochIn(await readFile(join(folder, name)));
    if (epoch !== null) return epoch;
  }
  return null;
}

interface FoundSegments {
  list: Segment[];
  lastFrame: Frame | null;
  note: string | null;
  tornBytes: number;
}

async function findSegments(folder: string, epoch: string): Promise<FoundSegments> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  const found: FoundSegments = { list: [], lastFrame: null, note: null, tornBytes: 0 };
  for (const [index, name] of names.entries()) {
    const path = join(folder, name);
    const content = await readFile(path);
    if (epochIn(content) !== epoch) {
      found.tornBytes += content.length;
      await setAside(path, content.length > HEADER_BYTES);
      continue;
    }
    const { frames, bytes } = decodeFrames(content);
    found.tornBytes += content.length - bytes;
    // Numbers that are lost in the middle of a segment are never given again: the next one begins behind them.
    if (index === names.length - 1 && bytes < content.length) await cutOff(path, bytes);
    found.lastFrame = frames.at(-1) ?? found.lastFrame;
    found.note = frames.findLast(({ note }) => note !== null)?.note ?? found.note;
    const first = Number(name.slice(0, 16));
    found.list.push({ path, first, next: endOf(frames, first), bytes });
  }
  return found;
}

function endOf(frames: readonly Frame[], first: number): number {
  return frames.reduce((next, frame) => Math.max(next, frame.first + frame.records.length), first);
}

/** A segment of another spool is not ours to delete, and one that was never begun is nothing. */
async function setAside(path: string, keep: boolean): Promise<void> {
  if (keep) await rename(path, `${path}.foreign`);
  else await rm(path, { force: true });
}

async function cutOff(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
}
