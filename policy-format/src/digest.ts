import { createHash } from 'node:crypto';

/** Lower-case hex sha256 of bytes; a text is its UTF-8 bytes. The name of every blob. */
export type Digest = string;

export const DIGEST: RegExp = /^[0-9a-f]{64}$/;

export function digestOf(bytes: Uint8Array | string): Digest {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Never a path, never another spelling. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && DIGEST.test(value);
}
