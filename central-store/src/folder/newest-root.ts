import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Approval, type Head, LIMITS, payloadOf, type SignedDocument } from '@edgeward/policy-format';
import { EdgewardError, type Logger, systemCodeOf } from '@edgeward/runtime';
import { readProposals, type StoredProposal } from '../proposals/stored-proposal.ts';
import { isAllowed } from '../record/allowance.ts';
import { openTrustRoots, type TrustRoots } from './trust-roots.ts';

/**
 * Trust roots of which the newest is the newest there ever was. Where its file is gone the one before would be taken for it,
 * and people who were removed would count again. So everything else on the disk is asked. A root that the record allowed,
 * and that lies in its proposal with all signatures, is put in its place: the process ended in between, or the file was
 * lost. What only names a newer one keeps the store from starting. Throws EDW_ERR_STORE_FOLDER, EDW_ERR_ROOT_….
 */
export async function openNewestRoots(dir: string, logger: Logger): Promise<TrustRoots> {
  const roots = await openTrustRoots(dir);
  const proposals = await readProposals(join(dir, 'proposals'));
  await finish(dir, roots, proposals, logger);
  await requireNewest(dir, roots, proposals);
  return roots;
}

async function finish(
  dir: string,
  roots: TrustRoots,
  proposals: readonly StoredProposal[],
  logger: Logger,
): Promise<void> {
  for (let found = await allowedNext(dir, roots, proposals); found !== null; ) {
    const { version } = await roots.append(found.document);
    logger.warn(
      { event: 'trust_root_finished', version, proposal: found.id },
      'the record allowed it; it was not there',
    );
    found = await allowedNext(dir, roots, proposals);
  }
}

/** The next trust root, if the record has it that one was published. */
async function allowedNext(
  dir: string,
  roots: TrustRoots,
  proposals: readonly StoredProposal[],
): Promise<StoredProposal | null> {
  const previous = roots.digestAt(roots.newest().version);
  for (const proposal of proposals) {
    const isNext = proposal.kind === 'root' && proposal.payload.previous === previous && proposal.rejected === null;
    const about = { action: 'proposal.publish', target: `proposal/${proposal.id}` };
    if (isNext && (await isAllowed(join(dir, 'record'), about))) return proposal;
  }
  return null;
}

async function requireNewest(dir: string, roots: TrustRoots, proposals: readonly StoredProposal[]): Promise<void> {
  const newest = roots.newest().version;
  for await (const { version, place } of namedIn(dir, proposals)) {
    if (version <= newest) continue;
    const path = join(dir, 'roots', `${newest + 1}.json`);
    throw new EdgewardError('EDW_ERR_STORE_FOLDER', `reading ${path}: it is missing, and ${place} names ${version}`, {
      mend: 'Bring the file back from a backup, from mirror/roots, or from the folder of any point that has followed it.',
    });
  }
}

interface Named {
  version: number;
  /** Relative to the folder. */
  place: string;
}

/** Every trust root that something else tells of. Signatures are not looked at: this only ever keeps a store from starting. */
async function* namedIn(dir: string, proposals: readonly StoredProposal[]): AsyncGenerator<Named> {
  for (const folder of ['roots', join('mirror', 'roots')])
    for (const name of await namesIn(join(dir, folder))) {
      const [, version] = /^([1-9]\d{0,8})\.json$/.exec(name) ?? [];
      if (version !== undefined) yield { version: Number(version), place: join(folder, name) };
    }
  for (const { id, kind, payload } of proposals) {
    // Whoever proposed it had the one before in force.
    const version = kind === 'root' ? payload.version - 1 : (payload as Approval).root;
    yield { version, place: join('proposals', id) };
  }
  const last = Math.max(0, ...(await namesIn(join(dir, 'versions'))).map(Number).filter(Number.isInteger));
  yield* rootOf(
    dir,
    join('versions', String(last), 'approval.json'),
    (file) => (file as { approval: unknown }).approval,
  );
  for (const name of await namesIn(join(dir, 'mirror', 'heads')))
    yield* rootOf(dir, join('mirror', 'heads', name), (file) => file);
}

/** What can not be read says nothing here; who uses it says what is wrong with it. */
async function* rootOf(dir: string, place: string, signed: (file: unknown) => unknown): AsyncGenerator<Named> {
  try {
    const document = signed(JSON.parse(await readFile(join(dir, place), 'utf8'))) as SignedDocument;
    const { root } = payloadOf(document, place, LIMITS.approvalBytes) as Partial<Head>;
    if (typeof root === 'number') yield { version: root, place };
  } catch {
    return;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return [];
    throw thrown;
  });
}
