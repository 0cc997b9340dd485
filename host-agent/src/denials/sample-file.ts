/**
 * The file that ulogd writes samples to, read by offset, a whole line at a time. When it has grown it is put aside and ulogd
 * begins another one; what was put aside is read to its end first and deleted when that is accounted for, so that no line is
 * lost by it. Where it stands is a value that outlives the agent.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, rename, rm, stat, truncate } from 'node:fs/promises';
import { MAX_LINE_BYTES } from './sample.ts';

interface Place {
  inode: number;
  /** Of the first byte that was not read. */
  offset: number;
}

/** `aside`: of the file that was put aside, while it is there. */
export interface Places {
  aside: Place | null;
  current: Place;
}

export interface SampleFile {
  /** Every line that was finished since. */
  read(take: (line: string) => void): Promise<void>;
  /** Cheap. */
  hasMore(): Promise<boolean>;
  places(): Places;
  /** What was read is accounted for: what was put aside and read to its end goes, and what has grown is put aside. */
  settle(): Promise<void>;
  /** Nobody can read now: it does not grow without bound. */
  bound(): Promise<void>;
}

export interface SampleFileOptions {
  path: string;
  /** Where a process before this one stood. */
  places: Places | null;
  /** Has the writer open its file anew. */
  reopen(): boolean;
  /** Put aside from here on: 16 MiB. */
  maxBytes?: number;
}

const MAX_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const NOWHERE: Place = { inode: 0, offset: 0 };

export async function openSampleFile(options: SampleFileOptions): Promise<SampleFile> {
  const { path, maxBytes = MAX_BYTES } = options;
  const asidePath = `${path}.aside`;
  const known = options.places;
  let aside = await placeOf(asidePath, [known?.aside, known?.current]);
  let current = (await placeOf(path, [known?.current])) ?? NOWHERE;
  // Known to be newer than what lies aside: that was read to its end.
  let asideDone =
    aside !== null &&
    known !== null &&
    current.inode !== 0 &&
    known.current.inode === current.inode &&
    known.aside === null;

  return {
    read: async (take) => {
      if (aside !== null && !asideDone) {
        const writerLeft = (await statOf(path)) !== null;
        const before = aside.offset;
        aside = await readFrom(asidePath, aside, take);
        // The writer has another file, and nothing came since: half a line stays one.
        asideDone = writerLeft && aside.offset === before;
      }
      current = await readFrom(path, current, take);
    },
    hasMore: async () => {
      const found = await statOf(path);
      return aside !== null || (found !== null && (found.ino !== current.inode || found.size !== current.offset));
    },
    places: () => ({ aside: asideDone ? null : aside, current }),
    settle: async () => {
      if (asideDone) {
        await rm(asidePath, { force: true });
        [aside, asideDone] = [null, false];
      }
      if (aside !== null || current.offset < maxBytes) return;
      await rename(path, asidePath);
      [aside, current] = [current, NOWHERE];
      options.reopen();
    },
    bound: () => boundSamples(path, maxBytes),
  };
}

/** Nobody can read now: it does not grow without bound. */
export async function boundSamples(path: string, maxBytes: number = MAX_BYTES): Promise<void> {
  const found = await statOf(path);
  if (found !== null && found.size > 4 * maxBytes) await truncate(path, 0);
}

async function statOf(path: string): Promise<Stats | null> {
  return stat(path).catch(() => null);
}

/** At the start of a file that none of these places is in; null where there is no file. */
async function placeOf(path: string, places: readonly (Place | null | undefined)[]): Promise<Place | null> {
  const found = await statOf(path);
  if (found === null) return null;
  return places.find((place) => place?.inode === found.ino) ?? { inode: found.ino, offset: 0 };
}

async function readFrom(path: string, place: Place, take: (line: string) => void): Promise<Place> {
  // Without links: whoever could put one there would have us read something else.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => null);
  if (file === null) return place;
  try {
    const { ino, size } = await file.stat();
    // Another file, or one that somebody emptied.
    const from = ino === place.inode && place.offset <= size ? place.offset : 0;
    return { inode: ino, offset: await readLines(file, from, size, take) };
  } finally {
    await file.close();
  }
}

async function readLines(file: FileHandle, from: number, size: number, take: (line: string) => void): Promise<number> {
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, Math.max(0, size - from)));
  let offset = from;
  while (offset < size) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, size - offset), offset);
    if (bytesRead === 0) return offset;
    const taken = takeLines(chunk.subarray(0, bytesRead), take);
    // A line without an end is no sample, and must not be waited for.
    const pointless = taken === 0 && bytesRead > MAX_LINE_BYTES;
    if (pointless) take('');
    if (taken === 0 && !pointless) return offset;
    offset += pointless ? bytesRead : taken;
  }
  return offset;
}

/** How many bytes were whole lines. */
function takeLines(bytes: Buffer, take: (line: string) => void): number {
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end === 0) return 0;
  for (const line of bytes.toString('utf8', 0, end - 1).split('\n')) take(line);
  return end;
}
