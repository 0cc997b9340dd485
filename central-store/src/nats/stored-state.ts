/**
 * What NATS holds, as far as this process knows: listed at the start and whenever something failed, followed in between.
 */
import { natsLayout } from '@edgeward/policy-feed';
import {
  type Cursor,
  type Digest,
  headOf,
  LIMITS,
  parseCanonical,
  payloadOf,
  signedDocumentOf,
} from '@edgeward/policy-format';
import type { NatsConnection } from '@nats-io/transport-node';
import { inParallel } from './in-parallel.ts';
import type { StoredBlobs, StoredHeads } from './point-carrier.ts';
import type { Streams } from './streams.ts';

const { headSubject, partObject, partsOfBlob, objectSubject, pointOfToken, pointToken, readSubject, STREAMS } =
  natsLayout;

export interface StoredState {
  blobs: StoredBlobs;
  heads: StoredHeads;
  /** Points with a head, also those that are no more; versions of roots. */
  list(streams: Streams): Promise<{ points: string[]; roots: Set<number> }>;
  /** Reads the heads themselves: somebody else may have written there. */
  compare(connection: NatsConnection, points: Iterable<string>, timeoutMs: number): Promise<void>;
  /** Removes what no head has named for `graceMs`. */
  sweep(streams: Streams, named: (point: string) => Iterable<Digest>, nowMs: number, graceMs: number): Promise<number>;
}

const AT_ONCE = 32;
const keyOf = (point: string, digest: Digest): string => `${pointToken(point)}.${digest}`;

export function createStoredState(): StoredState {
  /** `token.digest` to the number of parts; 0 where it is not known. */
  let stored = new Map<string, number>();
  const unnamedSince = new Map<string, number>();
  const heads: StoredHeads = new Map();

  return {
    heads,
    blobs: {
      has: (point, digest) => stored.has(keyOf(point, digest)),
      add: (point, digest, parts) => void stored.set(keyOf(point, digest), parts),
    },
    async list(streams) {
      const [parts, points, roots] = await Promise.all([
        streams.subjects(STREAMS.blobs, natsLayout.EVERY_PART),
        streams.subjects(STREAMS.heads, natsLayout.EVERY_HEAD).then((it) => it.map(lastToken)),
        streams.subjects(STREAMS.roots, natsLayout.EVERY_ROOT).then((it) => it.map(lastToken)),
      ]);
      stored = wholeBlobs(parts);
      return { points: points.map(pointOfToken), roots: new Set(roots.map(Number)) };
    },
    async compare(connection, points, timeoutMs) {
      await inParallel(points, AT_ONCE, async (point) => {
        const subject = readSubject(STREAMS.heads, headSubject(point));
        const answer = await connection.request(subject, '', { timeout: timeoutMs });
        const there = answer.headers?.code === 404 ? null : headIn(answer.data);
        if (there === null) heads.delete(point);
        else heads.set(point, there);
      });
    },
    async sweep(streams, named, nowMs, graceMs) {
      const points = new Set([...stored.keys()].map((key) => pointOfToken(key.slice(0, key.indexOf('.')))));
      const wanted = new Set([...points].flatMap((point) => [...named(point)].map((digest) => keyOf(point, digest))));
      for (const key of unnamedSince.keys()) if (wanted.has(key) || !stored.has(key)) unnamedSince.delete(key);
      const over: string[] = [];
      for (const key of stored.keys()) {
        if (wanted.has(key)) continue;
        const sinceMs = unnamedSince.get(key) ?? nowMs;
        unnamedSince.set(key, sinceMs);
        if (nowMs - sinceMs >= graceMs) over.push(key);
      }
      await inParallel(over, 4, async (key) => {
        const parts = stored.get(key) ?? 1;
        // Not there any more from here on: a head that names it again has it written again.
        stored.delete(key);
        await removeBlob(streams, key, parts);
      });
      return over.length;
    },
  };
}

async function removeBlob(streams: Streams, key: string, parts: number): Promise<void> {
  const [token = '', digest = ''] = key.split('.');
  const point = pointOfToken(token);
  await streams.purge(STREAMS.blobs, partsOfBlob(point, digest));
  for (let part = 0; part < parts; part += 1)
    await streams.purge(STREAMS.blobs, objectSubject(partObject(point, digest, part)));
}

/** Part 0 was written last, so a blob with it is whole. */
function wholeBlobs(subjects: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  const begun = new Set<string>();
  for (const subject of subjects) {
    const [token, digest, part] = subject.split('.').slice(3);
    const key = `${token}.${digest}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (part === '0') begun.add(key);
  }
  return new Map([...counts].filter(([key]) => begun.has(key)));
}

function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

/** Of an earlier process, or somebody else's: nothing of it is believed. */
function headIn(bytes: Uint8Array): { payload: string; cursor: Cursor } | null {
  try {
    const signed = signedDocumentOf(parseCanonical(bytes, 'a head', 4 * LIMITS.headBytes));
    const { epoch, revision, stateRoot } = headOf(payloadOf(signed, 'a head', LIMITS.headBytes));
    return { payload: signed.payload, cursor: { epoch, revision, stateRoot } };
  } catch {
    return null;
  }
}
