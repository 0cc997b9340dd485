/**
 * Reads a file in a folder where somebody else may have put anything under its name. What is no regular file there, a link
 * among them, is not read: a pipe would keep the reader waiting, and a link would have it read what is not the folder's.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { systemCodeOf } from './durable-file.ts';

/** Whole, at most `maxBytes`. Throws what the system throws; of what is no plain file, or a longer one, an error without a system code. */
export async function readPlainFile(path: string, maxBytes: number): Promise<Buffer> {
  const file = await openPlain(path);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw noFile();
    if (found.size > maxBytes) throw new Error(`it has ${found.size} bytes, more than ${maxBytes}`);
    return await readBytes(file, found.size);
  } finally {
    await file.close();
  }
}

async function openPlain(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (thrown) {
    // ELOOP: a link. ENXIO: a socket.
    throw ['ELOOP', 'ENXIO'].includes(systemCodeOf(thrown) ?? '') ? noFile() : thrown;
  }
}

/** No more than were there at first: a file that grows all the time would be read for ever. */
async function readBytes(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  for (let length = 0; length < size; ) {
    const { bytesRead } = await file.read(bytes, length);
    if (bytesRead === 0) return bytes.subarray(0, length);
    length += bytesRead;
  }
  return bytes;
}

function noFile(): Error {
  return new Error('it is no regular file');
}
