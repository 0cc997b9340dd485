import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Digest,
  digestOfPayload,
  type PublicKey,
  type SignedDocument,
  type TrustRoot,
  verifyFirstRoot,
  verifyNextRoot,
} from '@edgeward/policy-format';
import { EdgewardError, makeFolder, messageOf, systemCodeOf, writeDurably } from '@edgeward/runtime';

/**
 * The trust roots of a store, `roots/N.json`, each verified against the one before when they are opened. The first is
 * what people pinned by hand: that it is the right one, no program can know.
 */
export interface TrustRoots {
  newest(): TrustRoot;
  newestSigned(): SignedDocument;
  /** Null where there is none of this version. */
  at(version: number): TrustRoot | null;
  /** Of the root's payload. */
  digestAt(version: number): Digest | null;
  signed(version: number): SignedDocument | null;
  /** Of all versions: what the checkpoints of the whole record may be signed by. */
  logKeys(): PublicKey[];
  /** The next one, on disk when it settles. Throws what `verifyNextRoot` throws. */
  append(document: SignedDocument): Promise<TrustRoot>;
}

export async function openTrustRoots(dir: string): Promise<TrustRoots> {
  const folder = join(dir, 'roots');
  const roots: { root: TrustRoot; document: SignedDocument }[] = [];
  for (let version = 1; ; version += 1) {
    const document = await readRoot(folder, version);
    if (document === null) break;
    const before = roots.at(-1);
    const root = before === undefined ? verifyFirstRoot(document) : await verifyNextRoot(before.root, document);
    roots.push({ root, document });
  }
  const newest = (): { root: TrustRoot; document: SignedDocument } => {
    const last = roots.at(-1);
    if (last === undefined) throw missing(folder, 'there is none');
    return last;
  };
  newest();
  return {
    newest: () => newest().root,
    newestSigned: () => newest().document,
    at: (version) => roots[version - 1]?.root ?? null,
    digestAt: (version) => {
      const found = roots[version - 1];
      return found === undefined ? null : digestOfPayload(found.document);
    },
    signed: (version) => roots[version - 1]?.document ?? null,
    logKeys: () => {
      const byKid = new Map(roots.flatMap(({ root }) => root.logKeys.map((key) => [key.kid, key] as const)));
      return [...byKid.values()];
    },
    async append(document) {
      const root = await verifyNextRoot(newest().root, document);
      await writeRoot(dir, root.version, document);
      roots.push({ root, document });
      return root;
    },
  };
}

export async function writeRoot(dir: string, version: number, document: SignedDocument): Promise<void> {
  const folder = join(dir, 'roots');
  await makeFolder(folder);
  await writeDurably(join(folder, `${version}.json`), `${JSON.stringify(document)}\n`);
}

async function readRoot(folder: string, version: number): Promise<SignedDocument | null> {
  try {
    return JSON.parse(await readFile(join(folder, `${version}.json`), 'utf8')) as SignedDocument;
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw missing(folder, messageOf(thrown), thrown);
  }
}

function missing(folder: string, why: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_FOLDER', `reading the trust roots in ${folder}: ${why}`, {
    mend: 'Name the folder of a store, or make one with `edgeward store init`. A lost root can be copied back from any point.',
    ...(cause === undefined ? {} : { cause }),
  });
}
