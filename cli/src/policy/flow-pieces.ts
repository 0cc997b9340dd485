/** A file of flows, or stdin, piece by piece: the next is read when the last has been dealt with. */
import { createReadStream } from 'node:fs';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import type { Context } from '../frame/command.ts';

/** Throws EDW_ERR_FLOWS_FILE. */
export async function* piecesOf({ stdin }: Context, file: string): AsyncGenerator<Uint8Array> {
  const source = file === '-' ? stdin : createReadStream(file);
  try {
    for await (const piece of source) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_FLOWS_FILE', `reading the flows in ${file}: ${messageOf(cause)}`, {
      mend: 'Name a file with one JSON object per line, or - for stdin.',
      cause,
    });
  }
}
