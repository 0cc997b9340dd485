import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '@edgeward/runtime';
import { MAX_LINE_BYTES } from './entry.ts';

/**
 * The files of a record. A segment is named by the number of its first entry, so that the order, and a gap, show in a
 * listing. Nothing here knows what a line means.
 */
export interface Segment {
  path: string;
  /** The number of its first entry. */
  first: number;
}

const NAME = /^([0-9]{16})\.ndjson$/;

export function segmentPath(dir: string, first: number): string {
  return join(dir, `${String(first).padStart(16, '0')}.ndjson`);
}

/** In order; none where there is no folder. */
export async function segmentsIn(dir: string): Promise<Segment[]> {
  const names = await readdir(dir).catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return [];
    throw thrown;
  });
  return names
    .flatMap((name) => {
      const match = NAME.exec(name);
      return match === null ? [] : [{ path: join(dir, name), first: Number(match[1]) }];
    })
    .sort((a, b) => a.first - b.first);
}

export interface Line {
  /** Without its line break; null for one that is too long, or no UTF-8. */
  text: string | null;
  /** Of its first byte. */
  offset: number;
  /** Whether a line break ends it: false only for what a crash cut off. */
  whole: boolean;
}

/** Lines of a file, never held whole. */
export async function* linesOf(path: string): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(10, from); end >= 0; end = bytes.indexOf(10, from)) {
      yield { text: textOf(bytes.subarray(from, end)), offset: offset + from, whole: true };
      from = end + 1;
    }
    rest = bytes.subarray(from);
    offset += from;
  }
  if (rest.length > 0) yield { text: textOf(rest), offset, whole: false };
}

function textOf(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_LINE_BYTES) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
