/**
 * What this person's machine has seen of a store, beside the trust root that was pinned: from then on the store can show
 * nothing older, and nothing else of the same number. Points have their floor; this is a person's.
 */
import { readFile } from 'node:fs/promises';
import type { Digest } from '@edgeward/policy-format';
import { EdgewardError, messageOf, systemCodeOf, writeDurably } from '@edgeward/runtime';
import * as z from 'zod';
import { distrust } from './distrust.ts';

export interface Seen {
  store: string;
  root: { version: number; digest: Digest };
  /** Of policy; null before the first. */
  version: { version: number; digest: Digest } | null;
  /** Of policy, oldest first: what was believed once, whoever leaves the trust root since. */
  versions: Digest[];
}

const MAX_VERSIONS = 200;

const marked = z.strictObject({ version: z.int().min(1), digest: z.string() });
const schema: z.ZodType<Seen> = z.strictObject({
  store: z.string(),
  root: marked,
  version: marked.nullable(),
  versions: z.array(z.string()).default([]),
});

function seenFile(rootFile: string): string {
  return `${rootFile}.seen`;
}

/** Null before the first time. Throws EDW_ERR_STATE_READ. */
export async function readSeen(rootFile: string, store: string): Promise<Seen | null> {
  const path = seenFile(rootFile);
  let seen: Seen;
  try {
    seen = schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return null;
    throw new EdgewardError('EDW_ERR_STATE_READ', `reading ${path}: ${messageOf(cause)}`, {
      mend: 'Remove it if it was damaged by accident; then this machine does not know any more what it has seen.',
      cause,
    });
  }
  // Another root was pinned at this place since.
  return seen.store === store ? seen : null;
}

export function hasSeen(seen: Seen | null, digest: Digest): boolean {
  return seen !== null && (seen.version?.digest === digest || seen.versions.includes(digest));
}

/** With these, newest first; the oldest are forgotten. */
export function versionsWith(seen: Seen | null, digests: readonly Digest[]): Digest[] {
  const before = seen?.versions ?? [];
  return [...before, ...digests.toReversed().filter((it) => !before.includes(it))].slice(-MAX_VERSIONS);
}

/** Written only when it moved. Throws EDW_ERR_STATE_WRITE. */
export async function saveSeen(rootFile: string, before: Seen | null, now: Seen): Promise<void> {
  if (JSON.stringify(before) !== JSON.stringify(now))
    await writeDurably(seenFile(rootFile), `${JSON.stringify(now)}\n`);
}

/** Throws EDW_ERR_STORE_ROLLED_BACK, EDW_ERR_STORE_TAMPERED. */
export function checkSeen(
  rootFile: string,
  seen: Seen | null,
  now: Seen,
  rootDigest: (version: number) => string,
): void {
  if (seen === null) return;
  const where = `${seenFile(rootFile)} remembers`;
  if (now.root.version < seen.root.version)
    throw older(where, `version ${seen.root.version} of the trust root`, now.root.version);
  if (rootDigest(seen.root.version) !== seen.root.digest)
    throw distrust('EDW_ERR_STORE_TAMPERED', `${where} another version ${seen.root.version} of the trust root`);
  if (seen.version === null) return;
  const { version, digest } = seen.version;
  if (now.version === null || now.version.version < version)
    throw older(where, `version ${version} of the policy`, now.version?.version ?? 0);
  if (now.version.version === version && now.version.digest !== digest)
    throw distrust('EDW_ERR_STORE_TAMPERED', `${where} another version ${version} of the policy`);
}

function older(where: string, what: string, shown: number): EdgewardError {
  return distrust('EDW_ERR_STORE_ROLLED_BACK', `${where} ${what}, and the store shows ${shown} as the newest`);
}
