/** The body of a request, bounded, whole or not at all. */
import type { IncomingMessage } from 'node:http';

export type RequestBody =
  | { state: 'whole'; content: Buffer; bytes: number }
  | { state: 'too-large' | 'cut'; content: Buffer; bytes: number };

const maxDrainedBytes = 512 << 20;

export async function readBody(request: IncomingMessage, maxBytes: number): Promise<RequestBody> {
  const nothing = Buffer.alloc(0);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      const piece = Buffer.from(chunk);
      bytes += piece.length;
      // What is too large is read to its end and forgotten: a client that is still writing would not see the answer.
      if (bytes > maxDrainedBytes) break;
      if (bytes <= maxBytes) chunks.push(piece);
      else chunks.length = 0;
    }
  } catch {
    return { state: 'cut', content: nothing, bytes };
  }
  if (bytes > maxDrainedBytes) return { state: 'cut', content: nothing, bytes };
  if (bytes > maxBytes) return { state: 'too-large', content: nothing, bytes };
  return { state: 'whole', content: Buffer.concat(chunks), bytes };
}
