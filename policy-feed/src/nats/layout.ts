/**
 * Everything in NATS that has a name: streams, keys, subjects. The publisher, the transport, the accounts and the page on
 * NATS all read it here. A point's name is one token everywhere, so that a right can name exactly one point.
 */
import type { Digest } from '@edgeward/policy-format';

/** Streams by what is in them. To other clients those with a prefix are the KV buckets and the object store `edgeward_…`. */
export const STREAMS = {
  heads: 'KV_edgeward_heads',
  deltas: 'KV_edgeward_deltas',
  roots: 'KV_edgeward_roots',
  blobs: 'OBJ_edgeward_blobs',
  reports: 'edgeward_reports',
} as const;

export const BLOBS_BUCKET = 'edgeward_blobs';

/** A stream as the server is asked for it; sizes in bytes, the age in nanoseconds. */
export interface NatsStream {
  name: string;
  subjects: string[];
  maxMessageBytes: number;
  maxBytes: number;
  maxAgeNanos: number;
  /** Whether it can be read without a consumer, subject by subject. */
  directReads: boolean;
  /** Whether whoever writes is answered. */
  acknowledges: boolean;
}

/** A larger blob is several parts, each an object of its own. */
export const PART_BYTES: number = 128 * 1024;
/** A larger delta is not put there: the snapshot is as cheap. */
export const DELTA_BYTES: number = 512 * 1024;
const ROOT_BYTES = 512 * 1024;
const HEAD_BYTES = 64 * 1024;
const REPORT_BYTES = 16 * 1024;
const MEGABYTE = 1024 * 1024;
const DAY_NANOS = 24 * 3600 * 1_000_000_000;

/** What holds more than one subject, for whoever lists or asks for many. */
export const EVERY_HEAD = '$KV.edgeward_heads.>';
export const EVERY_ROOT = '$KV.edgeward_roots.root.*';
export const EVERY_PART = '$O.edgeward_blobs.C.>';

const bucketStream = (name: string, subjects: string[], maxMessageBytes: number, maxBytes: number): NatsStream => ({
  name,
  subjects,
  maxMessageBytes,
  maxBytes,
  maxAgeNanos: 0,
  directReads: true,
  acknowledges: true,
});

/** One message is kept for each subject, in all of them. */
export const NATS_STREAMS: readonly NatsStream[] = [
  bucketStream(STREAMS.heads, [EVERY_HEAD], HEAD_BYTES, 256 * MEGABYTE),
  bucketStream(STREAMS.deltas, ['$KV.edgeward_deltas.>'], DELTA_BYTES + 4096, 256 * MEGABYTE),
  bucketStream(STREAMS.roots, ['$KV.edgeward_roots.>'], ROOT_BYTES, 64 * MEGABYTE),
  bucketStream(STREAMS.blobs, [EVERY_PART, '$O.edgeward_blobs.M.>'], PART_BYTES + 4096, 2048 * MEGABYTE),
  {
    name: STREAMS.reports,
    subjects: ['edgeward.report.*'],
    maxMessageBytes: REPORT_BYTES,
    maxBytes: 128 * MEGABYTE,
    maxAgeNanos: DAY_NANOS,
    directReads: false,
    // An answer goes wherever the sender asked for, with the rights of the account: into the head of another point.
    acknowledges: false,
  },
];

/** `edge.eu` is `edge=eu`: no name holds `=`, so no two names meet. */
export function pointToken(point: string): string {
  return point.replaceAll('.', '=');
}

export function pointOfToken(token: string): string {
  return token.replaceAll('=', '.');
}

export const headSubject = (point: string): string => `$KV.edgeward_heads.${pointToken(point)}`;
export const deltaSubject = (point: string): string => `$KV.edgeward_deltas.${pointToken(point)}`;
export const rootSubject = (version: number): string => `$KV.edgeward_roots.root.${version}`;
/** Part 0 says how many there are. */
export const partSubject = (point: string, digest: Digest, part: number): string =>
  `$O.edgeward_blobs.C.${pointToken(point)}.${digest}.${part}`;
/** All parts of all blobs of a point. */
export const partsOfPoint = (point: string): string => `$O.edgeward_blobs.C.${pointToken(point)}.*.*`;
export const partsOfBlob = (point: string, digest: Digest): string =>
  `$O.edgeward_blobs.C.${pointToken(point)}.${digest}.*`;
/** What an object store calls the object: `edge-1/DIGEST`, and `edge-1/DIGEST/1` for a further part. */
export const partObject = (point: string, digest: Digest, part: number): string =>
  part === 0 ? `${pointToken(point)}/${digest}` : `${pointToken(point)}/${digest}/${part}`;
export const objectSubject = (object: string): string => {
  // The object store's own alphabet: base64url, padded.
  const text = Buffer.from(object).toString('base64url');
  return `$O.edgeward_blobs.M.${text.padEnd(Math.ceil(text.length / 4) * 4, '=')}`;
};
export const hintSubject = (point: string): string => `edgeward.hint.${pointToken(point)}`;
export const reportSubject = (point: string): string => `edgeward.report.${pointToken(point)}`;
/** A message every few seconds: whoever hears none is at a node that is cut off from the others, or the store is away. */
export const BEAT_SUBJECT = 'edgeward.beat';
export const BEAT_MS = 5_000;
/** Answers to this service's reads, and to nobody else's. */
export const inboxPrefix = (point: string): string => `_INBOX_${pointToken(point)}`;
export const STORE_INBOX_PREFIX = '_INBOX_edgeward_store';
/** Where the last message of a subject is asked for. The right to ask names the subject. */
export const readSubject = (stream: string, subject: string): string => `$JS.API.DIRECT.GET.${stream}.${subject}`;
/** On part 0 of a blob. */
export const PARTS_HEADER = 'Edgeward-Parts';
export const BYTES_HEADER = 'Edgeward-Bytes';
/** The store's place in the stream of reports. */
export const REPORT_CONSUMER = 'edgeward_store';
