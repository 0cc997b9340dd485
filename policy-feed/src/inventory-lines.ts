/**
 * Lines of an inventory out of the pieces in which it comes: never more of it in memory than a piece and a line, and no more
 * of it in all than an estate has.
 */
import { isUtf8 } from 'node:buffer';
import { storeFailure } from './failures.ts';

/** About half a million workloads. */
export const INVENTORY_BYTES: number = 64 * 1024 * 1024;
const LINES = 1_000_000;
const LINE_BYTES = 64 * 1024;
const SLICE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** A last line without its end is part of something that was cut off. Throws EDW_ERR_STORE_ANSWER. */
export async function* inventoryLines(
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  doing: string,
): AsyncGenerator<string[]> {
  const refused = (what: string): Error => storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: ${what}`);
  let rest: Buffer = Buffer.alloc(0);
  let bytes = 0;
  let lines = 0;
  for await (const slice of slicesOf(pieces)) {
    bytes += slice.length;
    if (bytes > INVENTORY_BYTES) throw refused(`it has more than ${INVENTORY_BYTES} bytes`);
    const all: Buffer = rest.length === 0 ? slice : Buffer.concat([rest, slice]);
    const end = all.lastIndexOf(NEWLINE);
    rest = all.subarray(end + 1);
    if (rest.length > LINE_BYTES) throw refused('a line of it is too long');
    if (end === -1) continue;
    const whole = all.subarray(0, end);
    if (!isUtf8(whole)) throw refused('it is no text');
    const found = whole.toString('utf8').split('\n');
    lines += found.length;
    if (lines > LINES) throw refused(`it has more than ${LINES} lines`);
    yield found;
  }
  if (rest.length > 0) throw refused('it was cut off');
}

/** A file comes in one piece. */
async function* slicesOf(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    for (let at = 0; at < buffer.length; at += SLICE_BYTES) yield buffer.subarray(at, at + SLICE_BYTES);
  }
}
