import { sha256Hex } from '@edgeward/runtime';
import type { Entry } from './object-tables.ts';
import type { PushClient } from './push-client.ts';

/**
 * Entries in pieces that NGINX takes without a stall: 32 KB hold its event loop for less than a millisecond, where one
 * body of megabytes held it for over 100 (measured). A single larger value travels alone.
 */
const CHUNK_BYTES = 32_000;
/** Keys of one digest call. */
const DIGEST_KEYS = 500;

export function* chunksOf(entries: Entry[]): Generator<Entry[]> {
  let chunk: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entry[0].length + entry[1].length + 2;
    if (chunk.length > 0 && bytes + size > CHUNK_BYTES) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(entry);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

export function linesOf(entries: Entry[]): string {
  return entries.map(([key, value]) => `${key}\t${value}`).join('\n');
}

/** Entries in every piece whose digest at the point is not what it should be. */
export async function differingEntries(client: PushClient, entries: Entry[]): Promise<Entry[]> {
  const differing: Entry[] = [];
  for (let at = 0; at < entries.length; at += DIGEST_KEYS) {
    const piece = entries.slice(at, at + DIGEST_KEYS);
    const expected = sha256Hex(`${linesOf(piece)}\n`);
    if ((await client.digest(piece.map(([key]) => key))) !== expected) differing.push(...piece);
  }
  return differing;
}
