import { type FileHandle, open, rm } from 'node:fs/promises';
import { messageOf, syncFolder } from '@edgeward/runtime';
import { segmentPath } from './segments.ts';
import type { Tail } from './tail.ts';

/**
 * Bytes at the end of the newest segment, on disk when `write` settles. A write that failed leaves nothing behind, or
 * ends the writer: after a sync that failed nobody knows what the disk holds.
 */
export interface Writer {
  /** `first` is the number of the first entry in these bytes, should a segment begin here. */
  write(bytes: Uint8Array, first: number): Promise<void>;
  close(): Promise<void>;
}

export async function openWriter(dir: string, tail: Tail, segmentBytes: number): Promise<Writer> {
  let file: FileHandle | null = tail.segment === null ? null : await open(tail.segment.path, 'r+');
  let end = tail.bytes;
  let broken: string | null = null;

  async function begin(first: number): Promise<FileHandle> {
    const path = segmentPath(dir, first);
    // What stands there is of an attempt of ours that failed before its first entry: entries have one place only.
    await rm(path, { force: true });
    const fresh = await open(path, 'wx', 0o600);
    try {
      await syncFolder(dir);
    } catch (thrown) {
      await fresh.close();
      throw thrown;
    }
    await file?.close();
    end = 0;
    return fresh;
  }

  async function writeAt(to: FileHandle, bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await to.write(bytes, written, bytes.length - written, end + written);
      written += bytesWritten;
    }
  }

  async function takeBack(from: FileHandle): Promise<void> {
    try {
      await from.truncate(end);
      await from.sync();
    } catch (thrown) {
      broken = `what was half written could not be taken back: ${messageOf(thrown)}`;
    }
  }

  return {
    async write(bytes, first) {
      if (broken !== null) throw new Error(broken);
      if (file === null || end >= segmentBytes) file = await begin(first);
      try {
        await writeAt(file, bytes);
      } catch (thrown) {
        await takeBack(file);
        throw thrown;
      }
      try {
        await file.datasync();
      } catch (thrown) {
        broken = `the disk could not be synced: ${messageOf(thrown)}`;
        throw thrown;
      }
      end += bytes.length;
    },
    async close() {
      await file?.close();
      file = null;
    },
  };
}
