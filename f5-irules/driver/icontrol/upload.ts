/**
 * A file to `/var/config/rest/downloads/`, chunk by chunk, whole or not at all as far as anybody refers to it. Holds one
 * chunk in memory, whatever the size of the file or of the pieces it comes in.
 */
import type { EdgewardError } from '@edgeward/runtime';
import type { Caller } from './caller.ts';
import { failure } from './failures.ts';

/** Documented is 1 MB at most; this is what most tools send. */
const CHUNK_BYTES = 512 * 1024;

const FOLDER = '/var/config/rest/downloads';

/** Returns what `sourcePath` takes. Throws EDW_ERR_BIGIP_UPLOAD for a name or size that can't be sent. */
export async function uploadFile(
  caller: Caller,
  file: string,
  totalBytes: number,
  pieces: Iterable<Uint8Array>,
): Promise<string> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/.test(file)) throw wrong(file, 'it is no name of a file');
  if (!Number.isSafeInteger(totalBytes) || totalBytes <= 0) throw wrong(file, `it has ${totalBytes} bytes`);
  const broken = await sendAll(caller, file, totalBytes, pieces);
  // Nobody knows whether a broken chunk was written, and the box refuses overlaps: from the first byte on, once.
  const again = broken === null || isOneShot(pieces) ? broken : await sendAll(caller, file, totalBytes, pieces);
  if (again !== null) throw again;
  return `file:${FOLDER}/${file}`;
}

/** The error of a chunk that may have arrived or not; what is refused for good is thrown. */
async function sendAll(
  caller: Caller,
  file: string,
  totalBytes: number,
  pieces: Iterable<Uint8Array>,
): Promise<EdgewardError | null> {
  let start = 0;
  for (const chunk of regroup(pieces, CHUNK_BYTES)) {
    const end = start + chunk.length;
    if (end > totalBytes) throw wrong(file, `it is longer than the ${totalBytes} bytes that were announced`);
    const headers = { 'content-range': `${start}-${end - 1}/${totalBytes}` };
    const path = `shared/file-transfer/uploads/${file}`;
    const verdict = await caller.call({ method: 'POST', path, headers, body: chunk });
    if (verdict.state === 'absent') throw failure('EDW_ERR_BIGIP_REFUSED', `uploading ${file}: ${verdict.text}`);
    if (verdict.state === 'failed') {
      if (verdict.effect === 'unknown' || verdict.effect === 'reset') return verdict.error;
      throw verdict.error;
    }
    start = end;
  }
  if (start !== totalBytes) throw wrong(file, `it has ${start} bytes, and ${totalBytes} were announced`);
  return null;
}

/** A generator that ran can't run again. */
function isOneShot(pieces: Iterable<Uint8Array>): boolean {
  const iterator: unknown = pieces[Symbol.iterator]();
  return iterator === pieces;
}

/**
 * The same bytes in chunks of `size`, the last one shorter. A chunk holds until the next is asked for: a call has ended by
 * then, whatever came of it, and a hundred chunks of a large file would wait long for the garbage collector.
 */
function* regroup(pieces: Iterable<Uint8Array>, size: number): Generator<Uint8Array> {
  const chunk = new Uint8Array(size);
  let used = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + size - used);
      chunk.set(taken, used);
      used += taken.length;
      at += taken.length;
      if (used < size) continue;
      yield chunk;
      used = 0;
    }
  }
  if (used > 0) yield chunk.subarray(0, used);
}

function wrong(file: string, why: string): EdgewardError {
  return failure('EDW_ERR_BIGIP_UPLOAD', `uploading ${JSON.stringify(file.slice(0, 200))}: ${why}`);
}
