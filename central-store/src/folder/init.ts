import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Digest,
  digestOfRoot,
  type Person,
  type SignedDocument,
  type SigningKey,
  sign,
  type Thresholds,
  type TrustRoot,
  trustRootOf,
} from '@edgeward/policy-format';
import { type Clock, type Logger, takeStateLock, writeDurably } from '@edgeward/runtime';
import { STORE } from '../record/own-names.ts';
import { openRecord } from '../record/record.ts';
import { requirePeopleNames } from './people-names.ts';
import { newServerKey, serverKey } from './server-keys.ts';
import { requireUnused, STORE_FILE } from './store-folder.ts';
import { writeRoot } from './trust-roots.ts';

/** A folder becomes a store: an id, keys, the first trust root, the first entry of the record. */
export interface InitOptions {
  dir: string;
  people: Person[];
  thresholds: Thresholds;
  clock: Clock;
  logger: Logger;
  /** Approvers whose keys are at hand sign the first root; without any it is unsigned, and pinned by its digest. */
  approverKeys?: SigningKey[];
}

export interface NewStore {
  store: string;
  root: TrustRoot;
  signed: SignedDocument;
  /** Of the root's payload: what points and people pin. */
  digest: Digest;
}

/** `store.json` comes last: what was cut off before it is begun anew. Throws EDW_ERR_STORE_FOLDER, EDW_ERR_ROOT_…. */
export async function initStore(options: InitOptions): Promise<NewStore> {
  const { dir, people } = options;
  requirePeopleNames(people, 'making a store');
  await requireUnused(dir);
  const release = await takeStateLock(dir);
  try {
    for (const name of ['keys', 'roots', 'record']) await rm(join(dir, name), { recursive: true, force: true });
    const made = await makeRoot(options);
    await writeRoot(dir, 1, made.signed);
    await beginRecord(options, made);
    await writeDurably(join(dir, STORE_FILE), `${JSON.stringify({ format: 1, store: made.store })}\n`);
    return made;
  } finally {
    await release();
  }
}

async function makeRoot({ dir, people, thresholds, clock, approverKeys = [] }: InitOptions): Promise<NewStore> {
  const store = randomBytes(16).toString('hex');
  const root = trustRootOf({
    typ: 'edgeward-root/1',
    store,
    version: 1,
    epoch: 1,
    previous: null,
    issuedAt: new Date(clock.now()).toISOString(),
    people,
    thresholds,
    storeKeys: [await newServerKey(dir, 'store')],
    logKeys: [await newServerKey(dir, 'log')],
  } satisfies TrustRoot);
  return { store, root, signed: await sign(root, approverKeys), digest: digestOfRoot(root) };
}

async function beginRecord({ dir, clock, logger }: InitOptions, { store, root, digest }: NewStore): Promise<void> {
  const logKey = await serverKey(dir, 'log', root);
  const record = await openRecord({ dir: join(dir, 'record'), store, logKey, root: () => root.version, clock, logger });
  try {
    const target = 'root/1';
    await record.append({ actor: STORE, by: 'local', action: 'store.init', target, digest, outcome: 'allowed' });
  } finally {
    await record.close();
  }
}
