/**
 * Brings one point's newest state over: what the head names first, then the way to it, then the head, then the hint. Who
 * reads at any moment sees the old state whole or the new one.
 */

import { natsLayout } from '@edgeward/policy-feed';
import { type Cursor, canonicalJson, type Digest, deltaBytes, digestOf } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { PublishedHead, PublishedState } from './published-state.ts';
import type { Streams } from './streams.ts';

const {
  BYTES_HEADER,
  DELTA_BYTES,
  PART_BYTES,
  PARTS_HEADER,
  STREAMS,
  deltaSubject,
  headSubject,
  objectSubject,
  partObject,
  partSubject,
} = natsLayout;

/** Blobs that NATS is known to hold whole, by point and digest. */
export interface StoredBlobs {
  has(point: string, digest: Digest): boolean;
  add(point: string, digest: Digest, parts: number): void;
}

/** The head that NATS holds of each point, as far as is known here. */
export type StoredHeads = Map<string, { cursor: Cursor; payload: string }>;

export async function carryPoint(
  point: string,
  to: {
    state: PublishedState;
    streams: Streams;
    blobs: StoredBlobs;
    heads: StoredHeads;
    hint: (cursor: Cursor) => void;
  },
): Promise<void> {
  const { state, streams, blobs, heads } = to;
  const newest = state.head(point);
  if (newest === null) {
    await streams.purge(STREAMS.heads, headSubject(point));
    await streams.purge(STREAMS.deltas, deltaSubject(point));
    heads.delete(point);
    return;
  }
  for (const digest of newest.blobs) {
    if (blobs.has(point, digest)) continue;
    const bytes = await state.blob(point, digest);
    if (bytes === null) throw missing(point, digest);
    blobs.add(point, digest, await putBlob(streams, point, digest, bytes));
  }
  await putDelta(point, newest, to);
  // Not known while it is under way: an answer that is lost leaves either there.
  heads.delete(point);
  await streams.put(headSubject(point), canonicalJson(newest.signed));
  heads.set(point, { cursor: newest.cursor, payload: newest.signed.payload });
  to.hint(newest.cursor);
}

/** The answer: in how many parts. */
async function putBlob(streams: Streams, point: string, digest: Digest, bytes: Uint8Array): Promise<number> {
  const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  // The first part comes last: it says that the others are there.
  for (let part = count - 1; part >= 0; part -= 1) {
    const own = bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
    const header = { [PARTS_HEADER]: String(count), [BYTES_HEADER]: String(bytes.length) };
    await streams.put(partSubject(point, digest, part), own, header);
  }
  for (let part = 0; part < count; part += 1) {
    const own = bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
    await streams.put(objectSubject(partObject(point, digest, part)), objectText(point, digest, part, own));
  }
  return count;
}

/** As any client of an object store reads it; points do not. */
function objectText(point: string, digest: Digest, part: number, bytes: Uint8Array): string {
  const name = partObject(point, digest, part);
  const sha = Buffer.from(digestOf(bytes), 'hex').toString('base64url').padEnd(44, '=');
  return JSON.stringify({
    name,
    description: '',
    options: { max_chunk_size: PART_BYTES },
    bucket: natsLayout.BLOBS_BUCKET,
    nuid: partSubject(point, digest, part).split('.').slice(3).join('.'),
    size: bytes.length,
    chunks: bytes.length === 0 ? 0 : 1,
    mtime: new Date().toISOString(),
    digest: `SHA-256=${sha}`,
    deleted: false,
  });
}

async function putDelta(
  point: string,
  newest: PublishedHead,
  { state, streams, heads }: { state: PublishedState; streams: Streams; heads: StoredHeads },
): Promise<void> {
  const from = heads.get(point)?.cursor ?? null;
  if (from === null || from.stateRoot === newest.cursor.stateRoot) return;
  const delta = await state.delta(point, from);
  // It leads to a head that is newer still: the next round brings that one.
  if (delta === null || delta.head.payload !== newest.signed.payload) return;
  const bytes = deltaBytes(delta);
  if (bytes.length <= DELTA_BYTES) await streams.put(deltaSubject(point), bytes);
}

function missing(point: string, digest: Digest): EdgewardError {
  const message = `publishing ${point} in NATS: blob ${digest.slice(0, 12)}, which its head names, is not there`;
  return new EdgewardError('EDW_ERR_NATS_PUBLISH', message, {
    mend: 'Restart the store: it writes again what it lacks.',
  });
}
