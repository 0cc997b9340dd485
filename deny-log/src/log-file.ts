/**
 * One open log file, read from its cursor on. It is read through a descriptor, so a rename does not disturb it. What was
 * read is handed out only after the file's first bytes were seen unchanged: a file that was truncated and written anew
 * is never mistaken for its own continuation.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { maxLineBytes } from './deny-log.ts';
import { splitLines } from './line-splitter.ts';
import type { Candidate, FileCursor } from './log-cursor.ts';
import { headMatches, maxHeadBytes, withHead } from './log-cursor.ts';

export interface LogFile {
  cursor: FileCursor;
  /** When it was last seen growing, or last stood at the log's own path. */
  livelyMs: number;
  current: boolean;
  /** Bytes not read yet, as of the last look. */
  lagBytes: number;
  describe(current: boolean): Promise<Candidate>;
  /** Looks how far it is behind. */
  measure(): Promise<void>;
  /** The next lines and the cursor after them; `changed` when it is not the file that the cursor is about. */
  read(): Promise<FileRead | 'changed' | null>;
  /** What stands after the last newline, when nothing will follow it; null: whole lines came after all. */
  readRest(): Promise<FileRead | null>;
  close(): Promise<void>;
}

export interface FileRead {
  lines: Buffer[];
  cursor: FileCursor;
}

/** A quarter of a mebibyte holds about a thousand lines, and any line that is not too long. */
const chunkBytes = 262_144;
const newline = 10;
const limits = { maxLines: 1_000, maxLineBytes };

/** The cursor is a blank one until the file's place is known. */
export async function openLogFile(path: string): Promise<LogFile> {
  const handle = await open(path, 'r');
  const { dev, ino } = await handle.stat({ bigint: true });
  const blank = { offset: 0, headLength: 0, headCrc: 0, skipping: false, state: 'reading' } as const;
  return logFile(handle, { dev: String(dev), inode: String(ino), ...blank });
}

function logFile(handle: FileHandle, cursor: FileCursor): LogFile {
  const { dev, inode } = cursor;
  const file: LogFile = {
    cursor,
    livelyMs: 0,
    current: false,
    lagBytes: 0,
    async describe(current) {
      const { size, mtimeMs } = await handle.stat();
      return { dev, inode, size, modifiedMs: mtimeMs, head: await readAt(handle, 0, maxHeadBytes), current };
    },
    async measure() {
      file.lagBytes = Math.max(0, (await handle.stat()).size - file.cursor.offset);
    },
    async read() {
      const chunk = await unread(handle, file);
      if (chunk === 'changed' || chunk.length === 0) return chunk === 'changed' ? chunk : null;
      const { lines, consumed, skipping } = splitLines(chunk, file.cursor.skipping, limits);
      if (consumed === 0) return null;
      return advance(handle, file, lines, consumed, skipping);
    },
    async readRest() {
      const chunk = await unread(handle, file);
      const rest = chunk === 'changed' ? Buffer.alloc(0) : chunk;
      if (rest.includes(newline)) return null;
      const lines = rest.length === 0 || file.cursor.skipping ? [] : [rest];
      const read = await advance(handle, file, lines, rest.length, false);
      return read === 'changed' ? { lines: [], cursor: file.cursor } : read;
    },
    close: () => handle.close(),
  };
  return file;
}

async function unread(handle: FileHandle, file: LogFile): Promise<Buffer | 'changed'> {
  const { size } = await handle.stat();
  const { offset } = file.cursor;
  file.lagBytes = Math.max(0, size - offset);
  if (size < offset) return 'changed';
  return readAt(handle, offset, Math.min(chunkBytes, size - offset));
}

async function advance(
  handle: FileHandle,
  file: LogFile,
  lines: Buffer[],
  consumed: number,
  skipping: boolean,
): Promise<FileRead | 'changed'> {
  // After the lines were read, not before: a truncation in between would go unseen.
  const head = await readAt(handle, 0, maxHeadBytes);
  if (!headMatches(file.cursor, head)) return 'changed';
  const cursor = withHead({ ...file.cursor, offset: file.cursor.offset + consumed, skipping }, head);
  file.lagBytes -= consumed;
  return { lines, cursor };
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
