import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Approval,
  LIMITS,
  payloadOf,
  type SignedDocument,
  type TrustRoot,
  verifyNextRoot,
} from '@edgeward/policy-format';
import { EdgewardError, systemCodeOf } from '@edgeward/runtime';
import type { StoredProposal } from '../proposals/stored-proposal.ts';
import { readCheckpoint } from '../record/tail.ts';
import { openTrustRoots, type TrustRoots } from './trust-roots.ts';

/**
 * Trust roots of which the newest is the newest there ever was. Where its file is gone the one before would be taken for it,
 * and people who were removed would count again. So the rest of the folder is asked, and what names a newer one keeps the
 * store from starting. The record's signed checkpoint names it in any case: without that, the whole folder is of before, and
 * points contradict it. Nothing is put in its place here: a root comes into force when a publisher says so, and in no other
 * way. Throws EDW_ERR_STORE_FOLDER, EDW_ERR_ROOT_….
 */
export async function openNewestRoots(dir: string, proposals: readonly StoredProposal[]): Promise<TrustRoots> {
  const roots = await openTrustRoots(dir);
  const newest = roots.newest();
  const file = `${newest.version + 1}.json`;
  for await (const { version, place } of namedIn(dir, proposals))
    if (version > newest.version) throw missing(join(dir, 'roots', file), `${place} names ${version}`, BROUGHT, place);
  const copy = join('mirror', 'roots', file);
  if (await isNext(newest, join(dir, copy)))
    throw missing(join(dir, 'roots', file), `${copy} is it`, `Copy ${copy} to ${join('roots', file)}.`, copy);
  const signed = (await signedRoot(dir)) ?? 0;
  if (signed > newest.version)
    throw missing(join(dir, 'roots', file), `the record was signed when ${signed} was in force`, BROUGHT, null);
  return roots;
}

const BROUGHT =
  'Bring the file back from a backup, from mirror/roots, or from the folder of any point that has followed it.';

/** `place`: where it is named without having been in force for certain. */
function missing(path: string, why: string, mend: string, place: string | null): EdgewardError {
  const otherwise = place === null ? '' : ` If nobody ever published it, move ${place} away.`;
  return new EdgewardError('EDW_ERR_STORE_FOLDER', `reading ${path}: it is missing, and ${why}`, {
    mend: `${mend}${otherwise}`,
  });
}

interface Named {
  version: number;
  /** Relative to the folder. */
  place: string;
}

/**
 * What else of the store's own tells of a trust root. Signatures are not looked at: this only ever keeps a store from
 * starting, and nobody but the store writes there.
 */
async function* namedIn(dir: string, proposals: readonly StoredProposal[]): AsyncGenerator<Named> {
  for (const name of await namesIn(join(dir, 'roots'))) {
    const [, version] = /^([1-9]\d{0,8})\.json$/.exec(name) ?? [];
    if (version !== undefined) yield { version: Number(version), place: join('roots', name) };
  }
  for (const { id, kind, payload } of proposals) {
    // Whoever proposed it had the one before in force.
    const version = kind === 'root' ? payload.version - 1 : (payload as Approval).root;
    yield { version, place: join('proposals', id) };
  }
  const last = Math.max(0, ...(await namesIn(join(dir, 'versions'))).map(Number).filter(Number.isInteger));
  const place = join('versions', String(last), 'approval.json');
  const version = await rootOfVersion(join(dir, place));
  if (version !== null) yield { version, place };
}

/** Null for what can not be read: whoever opens the record says what is wrong with it. */
async function signedRoot(dir: string): Promise<number | null> {
  const found = await readCheckpoint(join(dir, 'record')).catch(() => null);
  return found?.payload.root ?? null;
}

/** Null for what can not be read: who uses it says what is wrong with it. */
async function rootOfVersion(path: string): Promise<number | null> {
  try {
    const { approval } = JSON.parse(await readFile(path, 'utf8')) as { approval: SignedDocument };
    const { root } = payloadOf(approval, path, LIMITS.approvalBytes) as Partial<Approval>;
    return typeof root === 'number' ? root : null;
  } catch {
    return null;
  }
}

/** The mirror is copied to and fro, by others as well: there only signatures say anything. */
async function isNext(newest: TrustRoot, path: string): Promise<boolean> {
  try {
    await verifyNextRoot(newest, JSON.parse(await readFile(path, 'utf8')));
    return true;
  } catch {
    return false;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return [];
    throw thrown;
  });
}
