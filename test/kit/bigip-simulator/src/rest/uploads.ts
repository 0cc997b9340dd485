/**
 * Files that arrive in chunks: `Content-Range: START-END/TOTAL`, at most 1 MiB each, in order, without gaps. A file is
 * there once its last byte is; one that is begun again starts from nothing. Uploads are in no transaction.
 */
import type { Clock } from '@edgeward/runtime';
import { type Answer, json, refuseRest } from './answer.ts';
import { type Call, header } from './call.ts';

export interface Uploads {
  answer(call: Call): Answer;
  /** What had not arrived whole is gone. */
  clear(): void;
}

export const downloads = '/var/config/rest/downloads';

const maxChunkBytes = 1 << 20;
const maxFileBytes = 256 << 20;
const maxUnfinished = 64;

interface Unfinished {
  total: number;
  received: number;
  chunks: Buffer[];
  used: Record<string, number>;
}

export function createUploads(files: Map<string, Buffer>, clock: Clock): Uploads {
  const unfinished = new Map<string, Unfinished>();

  function take(name: string, call: Call): Answer {
    const range = rangeOf(call);
    if (range.start === 0) {
      if (unfinished.size >= maxUnfinished && !unfinished.has(name))
        refuseRest(503, 'There are too many unfinished uploads.');
      unfinished.set(name, { total: range.total, received: 0, chunks: [], used: {} });
    }
    const upload = unfinished.get(name);
    if (upload === undefined) return refuseRest(400, `Chunk at ${range.start} of ${name} does not begin the file`);
    const problem = problemOf(range, upload);
    if (problem !== null)
      return refuseRest(400, `${problem} in Content-Range ${header(call, 'content-range')} of ${name}`);
    upload.chunks.push(call.body);
    upload.used[String(range.start)] = call.body.length;
    upload.received += call.body.length;
    if (upload.received === upload.total) {
      files.set(name, Buffer.concat(upload.chunks));
      unfinished.delete(name);
    }
    return json({
      remainingByteCount: upload.total - upload.received,
      usedChunks: upload.used,
      totalByteCount: upload.total,
      localFilePath: `${downloads}/${name}`,
      temporaryFilePath: `${downloads}/tmp/${name}`,
      generation: 0,
      lastUpdateMicros: clock.now() * 1000,
    });
  }

  return {
    clear: () => unfinished.clear(),
    answer(call) {
      const [name, ...more] = call.segments.slice(3);
      if (name === undefined || more.length > 0 || !isFileName(name)) return refuseRest(400, 'Invalid file name');
      if (call.method === 'POST') return take(name, call);
      return refuseRest(405, `Method ${call.method} is not supported on /shared/file-transfer/uploads/${name}`);
    },
  };
}

interface Range {
  start: number;
  total: number;
}

function rangeOf(call: Call): Range {
  const text = header(call, 'content-range') ?? '';
  const match = /^(?:bytes )?(\d{1,12})-(\d{1,12})\/(\d{1,12})$/.exec(text.trim());
  if (match === null) return refuseRest(400, `Invalid Content-Range header: ${text}`);
  const [start, end, total] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const bytes = end - start + 1;
  if (bytes > maxChunkBytes || call.body.length > maxChunkBytes) {
    return refuseRest(400, `Chunk of ${bytes} bytes exceeds the maximum of ${maxChunkBytes} bytes`);
  }
  if (bytes !== call.body.length || end >= total) {
    return refuseRest(400, `Content-Range ${text} does not fit a body of ${call.body.length} bytes`);
  }
  if (total > maxFileBytes)
    return refuseRest(400, `File of ${total} bytes exceeds the maximum of ${maxFileBytes} bytes`);
  return { start, total };
}

function problemOf(range: Range, upload: Unfinished): string | null {
  if (range.total !== upload.total) return `Total differs from ${upload.total}`;
  if (range.start > upload.received) return `Gap after byte ${upload.received}`;
  return range.start < upload.received ? `Overlap before byte ${upload.received}` : null;
}

export function isFileName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,200}$/.test(name);
}
