/** What somebody sends, up to a bound: whoever is asked must not decide how much memory it takes. */
import type { IncomingMessage } from 'node:http';

/** Null for more than `maxBytes`; the rest is not waited for. */
export async function readBounded(response: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBytes) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces, bytes);
}
