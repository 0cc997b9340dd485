/**
 * Counts what undici sends and receives, by kind of request and status of its answer: request line, headers and body as they
 * go out, status line, headers and body as they come. TLS adds some 22 bytes a record, and its handshakes; neither is here.
 */
import { channel } from 'node:diagnostics_channel';
import type { Wire } from './fleet-messages.ts';

interface Asked {
  path: string;
  method: string;
}

const END_OF_LINE = 2;
/** `HTTP/1.1 200 ` beside the words of the status. */
const STATUS_LINE = 'HTTP/1.1 200 \r\n'.length;
/** `: ` and the end of the line. */
const PER_HEADER = 4;
const OWN_QUESTION = /^\/v1\/points\/([^/]+)\/next$/;

export const ASKED_TOGETHER = 'asked together';
export const askedBy = (point: string): string => `asked by ${point}`;

/**
 * From now on. The answer says what there was since the last time, of requests that were answered, and besides what an answer
 * makes a service ask again. The question of one point counts as it is sent, as `asked by POINT`; that of several as `asked
 * together` when its answer ends: for those of them that were not answered it goes on as it would have.
 */
export function countWire(): () => Wire {
  let wire: Wire = {};
  const sent = new WeakMap<Asked, number>();
  const kinds = new WeakMap<Asked, string>();
  const counted = (kind: string): Wire[string] => {
    wire[kind] ??= { requests: 0, sentBytes: 0, receivedBytes: 0 };
    return wire[kind];
  };
  const add = (request: Asked, bytes: number): void => {
    sent.set(request, (sent.get(request) ?? 0) + bytes);
    const [, point] = OWN_QUESTION.exec(request.path) ?? [];
    if (point !== undefined) counted(askedBy(point)).sentBytes += bytes;
  };
  on<{ request: Asked; headers: string }>('undici:client:sendHeaders', ({ request, headers }) => {
    add(request, Buffer.byteLength(headers) + END_OF_LINE);
  });
  on<{ request: Asked; chunk: string | Uint8Array }>('undici:request:bodyChunkSent', ({ request, chunk }) => {
    add(request, Buffer.byteLength(chunk));
  });
  on<Answered>('undici:request:headers', ({ request, response }) => {
    const kind = `${kindOf(request)} ${response.statusCode}`;
    kinds.set(request, kind);
    counted(kind).requests += 1;
    counted(kind).sentBytes += sent.get(request) ?? 0;
    const names = response.headers.reduce((sum, { length }) => sum + length, 0);
    const lines = (response.headers.length / 2) * PER_HEADER;
    counted(kind).receivedBytes += STATUS_LINE + response.statusText.length + names + lines + END_OF_LINE;
  });
  on<{ request: Asked; chunk: Uint8Array }>('undici:request:bodyChunkReceived', ({ request, chunk }) => {
    counted(kinds.get(request) ?? 'other').receivedBytes += chunk.length;
  });
  on<{ request: Asked }>('undici:request:trailers', ({ request }) => {
    if (kinds.get(request) === 'joint question 200') counted(ASKED_TOGETHER).sentBytes += sent.get(request) ?? 0;
  });
  return () => {
    const all = wire;
    wire = {};
    return all;
  };
}

interface Answered {
  request: Asked;
  response: { statusCode: number; statusText: string; headers: Buffer[] };
}

function on<T>(name: string, take: (message: T) => void): void {
  channel(name).subscribe((message) => take(message as T));
}

function kindOf({ path, method }: Asked): string {
  if (path === '/v1/next') return 'joint question';
  if (path.endsWith('/next')) return 'question';
  if (path.includes('/delta?')) return 'delta';
  if (path.endsWith('/head')) return 'head';
  if (path.includes('/blobs/')) return 'blob';
  return method === 'POST' ? 'report' : 'other';
}
