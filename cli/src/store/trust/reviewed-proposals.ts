/**
 * What this machine has shown of proposals, beside the trust root that was pinned: an id has 64 bits, and who proposes could
 * search for two payloads that share one. A store that shows the one at a review and has the other signed is found here.
 */
import { readFile } from 'node:fs/promises';
import { type Digest, isDigest } from '@edgeward/policy-format';
import { EdgewardError, messageOf, systemCodeOf, writeDurably } from '@edgeward/runtime';
import * as z from 'zod';
import { distrust } from './distrust.ts';

export interface Reviewed {
  id: string;
  digest: Digest;
}

/** Proposals that this machine remembers; who has looked at so many since looks again. */
const MAX_REMEMBERED = 1_000;

const schema: z.ZodType<{ reviewed: Reviewed[] }> = z.strictObject({
  reviewed: z.array(z.strictObject({ id: z.string(), digest: z.string().refine(isDigest) })),
});

function reviewedFile(rootFile: string): string {
  return `${rootFile}.reviewed`;
}

/** Null where this machine has shown none of this id. Throws EDW_ERR_STATE_READ. */
export async function reviewedDigest(rootFile: string, id: string): Promise<Digest | null> {
  return (await read(rootFile)).find((it) => it.id === id)?.digest ?? null;
}

/** Throws EDW_ERR_STORE_TAMPERED where another payload had this id. */
export function requireReviewed(rootFile: string, before: Digest | null, { id, digest }: Reviewed): void {
  if (before === null || before === digest) return;
  const where = reviewedFile(rootFile);
  throw distrust('EDW_ERR_STORE_TAMPERED', `looking at the proposal ${id}: ${where} remembers another one of this id`);
}

/** Throws EDW_ERR_STATE_READ, EDW_ERR_STATE_WRITE. */
export async function rememberReviewed(rootFile: string, { id, digest }: Reviewed): Promise<void> {
  const before = await read(rootFile);
  if (before.some((it) => it.id === id && it.digest === digest)) return;
  const reviewed = [...before.filter((it) => it.id !== id), { id, digest }].slice(-MAX_REMEMBERED);
  await writeDurably(reviewedFile(rootFile), `${JSON.stringify({ reviewed })}\n`);
}

async function read(rootFile: string): Promise<Reviewed[]> {
  const path = reviewedFile(rootFile);
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8'))).reviewed;
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return [];
    throw new EdgewardError('EDW_ERR_STATE_READ', `reading ${path}: ${messageOf(cause)}`, {
      mend: 'Remove it if it was damaged by accident, and review again what is to be approved.',
      cause,
    });
  }
}
