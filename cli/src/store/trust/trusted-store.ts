/**
 * A store as this machine believes it: trust roots down from the pinned one, and the newest version with every signature
 * that it needs. What somebody is shown, and signs, is worked out from here and from no word of the store.
 */
import { type Predecessor, verifyPredecessor } from '@edgeward/central-store';
import { type Approval, approvalOf, type Digest, digestOfPayload, LIMITS, payloadOf } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { ShownVersion } from '../client/store-answers.ts';
import type { StoreClient } from '../client/store-client.ts';
import { distrust } from './distrust.ts';
import { checkSeen, hasSeen, readSeen, type Seen, saveSeen, versionsWith } from './seen-store.ts';
import { followRoots, readPinnedRoot, type TrustedRoots } from './trusted-roots.ts';

export interface TrustedStore {
  roots: TrustedRoots;
  /** What the next version builds on; null before the first. */
  previous: Predecessor | null;
  /** Of the newest one; who published it is what the store says. */
  newest: ShownVersion | null;
  /** The newest that is no break-glass. */
  inFull: number | null;
}

/** Between two versions that were approved in full. */
const MAX_GLASSES = 50;

/** Throws EDW_ERR_STORE_TAMPERED, EDW_ERR_STORE_ROLLED_BACK, EDW_ERR_ROOT_…, EDW_ERR_APPROVAL_…, EDW_ERR_PROPOSAL_DIFFERS. */
export async function openTrusted(
  client: StoreClient,
  rootFile: string,
  { confirmed, nowMs }: { confirmed: Digest | null; nowMs: number },
): Promise<TrustedStore> {
  const roots = await followRoots(await readPinnedRoot(rootFile), client.root);
  const chain = await newestChain(client);
  const seen = await readSeen(rootFile, roots.pinned.store);
  // A later root may have been pinned since: what was seen before it is compared all the same.
  const needed = [...chain.map(({ payload }) => payload.root), ...(seen === null ? [] : [seen.root.version])];
  await roots.reach(Math.min(roots.newest.version, ...needed));
  const full = chain.at(-1)?.payload.version ?? null;
  const previous = await verifyPredecessor({
    approvals: chain.map(({ shown }) => shown.approval),
    bundle: full === null ? new Uint8Array() : await client.versionDocuments(full),
    rootAt: roots.at,
    seen: (digest) => digest === confirmed || hasSeen(seen, digest),
    nowMs,
  }).catch((thrown: unknown) => {
    throw confirmable(thrown);
  });
  const newest = chain[0] ?? null;
  const now = seenNow(roots, seen, chain);
  checkSeen(rootFile, seen, now, roots.digestAt);
  await saveSeen(rootFile, seen, now);
  return { roots, previous, newest: newest?.shown ?? null, inFull: full };
}

/** Who can confirm a version is told how, in the words of these commands. */
function confirmable(thrown: unknown): unknown {
  if (!(thrown instanceof EdgewardError) || thrown.code !== 'EDW_ERR_APPROVAL_UNCONFIRMED') return thrown;
  const how =
    'Their `edgeward store root` prints them; if they are the same, add `--confirm-version` and these digits.';
  return new EdgewardError(thrown.code, thrown.message, { cause: thrown, mend: `${thrown.mend} ${how}` });
}

function seenNow(roots: TrustedRoots, before: Seen | null, chain: readonly Link[]): Seen {
  const { version, store } = roots.newest;
  const shown = chain.map(({ shown: { approval }, payload }) => {
    return { version: payload.version, digest: digestOfPayload(approval) };
  });
  return {
    store,
    root: { version, digest: roots.digestAt(version) },
    version: shown[0] ?? null,
    versions: versionsWith(
      before,
      shown.map(({ digest }) => digest),
    ),
  };
}

interface Link {
  shown: ShownVersion;
  /** Read and not believed yet. */
  payload: Approval;
}

/** Newest first, back to the newest that is no break-glass. */
async function newestChain(client: StoreClient): Promise<Link[]> {
  const newest = await client.version('newest');
  if (newest === null) return [];
  const chain = [linkOf(newest, newest.version)];
  for (let link = chain[0]; link !== undefined && link.payload.breakGlass !== null; link = chain.at(-1)) {
    const version = link.payload.version - 1;
    const before = version < 1 || chain.length > MAX_GLASSES ? null : await client.version(version);
    if (before === null) throw distrust('EDW_ERR_STORE_TAMPERED', `version ${version} of the policy is not shown`);
    chain.push(linkOf(before, version));
  }
  return chain;
}

function linkOf(shown: ShownVersion, version: number): Link {
  const payload = approvalOf(payloadOf(shown.approval, 'the approval', LIMITS.approvalBytes));
  if (payload.version !== version || shown.version !== version)
    throw distrust('EDW_ERR_STORE_TAMPERED', `version ${version} of the policy is shown as version ${payload.version}`);
  return { shown, payload };
}
