/**
 * What a service hands on to a host that verifies approvals itself: heads, trust roots and blobs of a central store, as the
 * service follows it. None of it is believed for coming from there. Blobs come several at once: a host that asked for each page
 * of its members by itself would ask thousands of times.
 */
import type { Digest } from '@edgeward/policy-format';
import * as z from 'zod';
import { hashField } from './fields.ts';

export const BLOBS_PATH = '/v1/host/blobs';
export const BLOBS_TYPE = 'application/vnd.edgeward.host-blobs';

/** Of the head that a policy of this revision was compiled from. */
export function headPath(revision: number | string): string {
  return `/v1/host/heads/${revision}`;
}

export function rootPath(version: number | string): string {
  return `/v1/host/roots/${version}`;
}

export const MAX_BLOBS_ASKED = 64;
/** An answer ends with the blob that goes beyond; what is left is asked for again. */
export const BLOBS_ANSWER_BYTES: number = 16 * 1024 * 1024;
/** For the line of sizes. */
export const BLOBS_LINE_BYTES: number = 4 * 1024;
export const MAX_BLOBS_REQUEST_BYTES: number = 8 * 1024;

export interface BlobsRequest {
  /** Each once. */
  digests: Digest[];
}

export const blobsRequestSchema: z.ZodType<BlobsRequest> = z.object({
  digests: z
    .array(hashField)
    .min(1)
    .max(MAX_BLOBS_ASKED)
    .refine((digests) => new Set(digests).size === digests.length, 'names one twice'),
});

/** A line of sizes, null for what there is none of; then the bytes, in the order in which they were asked for. */
export function formatBlobs(found: readonly (Uint8Array | null)[]): Buffer {
  const sizes = found.map((bytes) => bytes?.length ?? null);
  return Buffer.concat([Buffer.from(`${JSON.stringify(sizes)}\n`), ...found.flatMap((bytes) => bytes ?? [])]);
}

const sizesSchema = z.array(z.int().min(0).nullable()).min(1).max(MAX_BLOBS_ASKED);

/** Of the first ones that were asked for, at least one; null for bytes that are no such answer. Digests are not compared here. */
export function blobsIn(bytes: Buffer, asked: number): (Buffer | null)[] | null {
  const end = bytes.subarray(0, BLOBS_LINE_BYTES).indexOf(0x0a);
  const sizes = end < 0 ? null : sizesIn(bytes.subarray(0, end).toString('latin1'));
  if (sizes === null || sizes.length > asked) return null;
  let at = end + 1;
  const found = sizes.map((size) => {
    const from = at;
    at += size ?? 0;
    return size === null ? null : bytes.subarray(from, at);
  });
  return at === bytes.length ? found : null;
}

function sizesIn(line: string): (number | null)[] | null {
  try {
    return sizesSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
