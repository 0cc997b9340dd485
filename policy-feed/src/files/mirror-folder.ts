/**
 * Files of a mirror folder, read as if somebody else had put them there: names are made here of what was checked, no link
 * leads out of the folder, nothing but a regular file is read, and no more of it than was asked for.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { messageOf, systemCodeOf } from '@edgeward/runtime';
import { storeFailure } from '../failures.ts';

export interface MirrorFolder {
  readonly path: string;
  /** Null where there is no such file. Throws EDW_ERR_STORE_UNREACHABLE, EDW_ERR_STORE_ANSWER. */
  read(name: readonly string[], maxBytes: number, doing: string): Promise<Uint8Array | null>;
  /** Another text whenever the file was replaced or written to; null where there is none. Cheap. */
  stamp(name: readonly string[]): Promise<string | null>;
}

export function mirrorFolder(path: string): MirrorFolder {
  return {
    path,
    async read(name, maxBytes, doing) {
      try {
        const found = await inside(path, join(path, ...name), doing);
        return found === null ? null : await readWhole(found, maxBytes, doing);
      } catch (thrown) {
        const code = systemCodeOf(thrown) ?? '';
        if (code === 'ENOENT' || code === 'ENOTDIR') return null;
        if (code.startsWith('EDW_ERR_')) throw thrown;
        throw storeFailure('EDW_ERR_STORE_UNREACHABLE', `${doing}: ${messageOf(thrown)}`, thrown);
      }
    },
    async stamp(name) {
      const seen = await stat(join(path, ...name), { bigint: true }).catch(() => null);
      return seen === null ? null : `${seen.dev}.${seen.ino}.${seen.size}.${seen.mtimeNs}.${seen.ctimeNs}`;
    },
  };
}

/** The file that this name leads to, by links or without: a mounted volume may be made of links within itself. */
async function inside(folder: string, path: string, doing: string): Promise<string | null> {
  const root = await realpath(folder).catch((cause: unknown) => {
    // A mirror that is not mounted is away; it has not lost its points.
    throw storeFailure('EDW_ERR_STORE_UNREACHABLE', `${doing}: the folder ${folder} can't be opened`, cause);
  });
  const real = await realpath(path);
  if (real.startsWith(root.endsWith(sep) ? root : root + sep)) return real;
  throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: a link leads out of the folder ${folder}`);
}

async function readWhole(path: string, maxBytes: number, doing: string): Promise<Uint8Array> {
  // Not blocking: a pipe would wait for its writer for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await regular(file, doing);
    if (size > maxBytes) throw tooLarge(doing, maxBytes);
    return await readUpTo(file, size, maxBytes, doing);
  } finally {
    await file.close();
  }
}

async function regular(file: FileHandle, doing: string): Promise<{ size: number }> {
  const found = await file.stat();
  if (!found.isFile()) throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it is no regular file`);
  return found;
}

/** A file that grows while it is read is bounded as well. */
async function readUpTo(file: FileHandle, size: number, maxBytes: number, doing: string): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(Math.min(size, maxBytes) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length);
    length += bytesRead;
    if (bytesRead === 0) return bytes.subarray(0, length);
    if (length > maxBytes) throw tooLarge(doing, maxBytes);
    // Longer than it was a moment ago: somebody is writing it. What is read is not whole, and is not believed.
    if (length === bytes.length) return bytes.subarray(0, length);
  }
}

function tooLarge(doing: string, maxBytes: number): Error {
  return storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: the file has more than ${maxBytes} bytes`);
}
