/**
 * Blobs of the points that this service has, in parts. A blob lies under each point that needs it, so that a right to
 * read names a point. Who does not say for which point a digest is wanted has them asked in the order in which they had one
 * last. What a head names was there before the head, so what is not there is asked for again: that copy may lag behind.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Digest, isDigest } from '@edgeward/policy-format';
import { storeFailure } from '../failures.ts';
import type { DirectMessage, DirectReader } from './direct-read.ts';
import { BYTES_HEADER, PART_BYTES, PARTS_HEADER, partSubject, STREAMS } from './layout.ts';

const PARTS_AT_ONCE = 8;
/** Between two looks for what is not there, in turn. */
const LAG_MS = [50, 100, 200, 400];

export function createPointBlobs(
  read: DirectReader,
  options: { name: string; points: readonly string[] },
): (digest: Digest, maxBytes: number, signal: AbortSignal, point?: string) => Promise<Uint8Array | null> {
  const order = [...options.points];

  const part = (point: string, digest: Digest, number: number, signal: AbortSignal): Promise<DirectMessage | null> =>
    read({
      stream: STREAMS.blobs,
      subject: partSubject(point, digest, number),
      doing: doingOf(options.name, digest),
      maxBytes: PART_BYTES,
      signal,
    });

  async function look(
    points: readonly string[],
    digest: Digest,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | null> {
    for (const point of points) {
      const first = await part(point, digest, 0, signal);
      if (first === null) continue;
      order.splice(order.indexOf(point), 1);
      order.unshift(point);
      const size = sizeIn(first, maxBytes, doingOf(options.name, digest));
      const rest = await inTurn(size.parts - 1, (index) => part(point, digest, index + 1, signal));
      return joined([first, ...rest], size.bytes);
    }
    return null;
  }

  return async (digest, maxBytes, signal, point) => {
    if (!isDigest(digest)) return null;
    for (let attempt = 0; ; attempt += 1) {
      const points = point !== undefined && order.includes(point) ? [point] : [...order];
      const found = await look(points, digest, maxBytes, signal);
      const pauseMs = LAG_MS[attempt];
      if (found !== null || pauseMs === undefined) return found;
      await pause(pauseMs, undefined, { signal });
    }
  };
}

function doingOf(name: string, digest: Digest): string {
  return `asking ${name} for blob ${digest.slice(0, 12)}`;
}

function sizeIn(first: DirectMessage, maxBytes: number, doing: string): { bytes: number; parts: number } {
  const bytes = Number(first.header(BYTES_HEADER));
  const parts = Number(first.header(PARTS_HEADER));
  if (!Number.isSafeInteger(bytes) || bytes < 0 || parts !== Math.max(1, Math.ceil(bytes / PART_BYTES)))
    throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it does not say how large it is`);
  if (bytes > maxBytes)
    throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it has ${bytes} bytes, more than ${maxBytes}`);
  return { bytes, parts };
}

/** Null when a part is missing: it is being removed, or was never whole. */
function joined(parts: readonly (DirectMessage | null)[], bytes: number): Uint8Array | null {
  const chunks = parts.flatMap((it) => (it === null ? [] : [it.bytes]));
  const length = chunks.reduce((sum, it) => sum + it.length, 0);
  return chunks.length === parts.length && length === bytes ? Buffer.concat(chunks) : null;
}

async function inTurn<T>(count: number, one: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let at = 0; at < count; at += PARTS_AT_ONCE) {
    const size = Math.min(PARTS_AT_ONCE, count - at);
    results.push(...(await Promise.all(Array.from({ length: size }, (_, index) => one(at + index)))));
  }
  return results;
}
