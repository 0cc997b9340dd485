/**
 * The bytes of an answer, never more than were asked for: not by what it says of its length, not while it is read, and not
 * when it is unpacked.
 */
import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import { systemCodeOf } from '@edgeward/runtime';
import { storeFailure } from '../failures.ts';

export interface Encoded {
  headers: Record<string, string | string[] | undefined>;
  body: AsyncIterable<Uint8Array>;
}

export interface Body {
  bytes: Uint8Array;
  /** Before it was unpacked. */
  wireBytes: number;
}

const unpack = promisify(gunzip);
/** Packed, nothing is larger than this beside its content: a header, a trailer, and 5 bytes for each stored block. */
const GZIP_EXCESS = 1024;
/** Of an answer that refuses. */
export const ERROR_BYTES: number = 16 * 1024;
const SMALL_BYTES = 4 * 1024;

/** Throws EDW_ERR_STORE_ANSWER for more bytes than `maxBytes`, and for what can't be unpacked. */
export async function boundedBody(answer: Encoded, maxBytes: number, doing: string): Promise<Body> {
  const packed = isPacked(answer, doing);
  const wire = await collect(answer, packed ? maxBytes + GZIP_EXCESS : maxBytes, doing);
  return { bytes: packed ? await unpacked(wire, maxBytes, doing) : wire, wireBytes: wire.length };
}

/** Without their ends, of at most so many bytes each. Throws EDW_ERR_STORE_ANSWER for a longer one, and where the last has no end. */
export async function* linesIn(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  doing: string,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxBytes || lines.some(({ length }) => length > maxBytes)) throw tooLarge(doing, maxBytes);
    yield* lines;
  }
  if (rest !== '') throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: the answer ends within a line`);
}

/** Whether it came as gzip. Throws EDW_ERR_STORE_ANSWER for any other coding. */
export function isPacked({ headers }: Pick<Encoded, 'headers'>, doing: string): boolean {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity' || encoding === 'gzip') return encoding === 'gzip';
  throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: the answer has an encoding that was not asked for`);
}

async function collect(answer: Encoded, maxBytes: number, doing: string): Promise<Buffer> {
  const said = Number(answer.headers['content-length'] ?? 0);
  if (said > maxBytes) throw tooLarge(doing, maxBytes);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(doing, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

async function unpacked(wire: Buffer, maxBytes: number, doing: string): Promise<Uint8Array> {
  try {
    const limit = { maxOutputLength: Math.max(1, maxBytes) };
    // A stream for each small answer costs more than unpacking it; at worst a small one becomes 4 MB at once.
    return wire.length <= SMALL_BYTES ? gunzipSync(wire, limit) : await unpack(wire, limit);
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(doing, maxBytes);
    throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: the answer can't be unpacked`, thrown);
  }
}

function tooLarge(doing: string, maxBytes: number): Error {
  return storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: the answer has more than ${maxBytes} bytes`);
}
