import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceDocument } from '@edgeward/policy';
import type { SigningKey } from '@edgeward/policy-format';
import {
  type Clock,
  EdgewardError,
  type Logger,
  makeFolder,
  messageOf,
  systemCodeOf,
  takeStateLock,
  unfinishedSuffix,
} from '@edgeward/runtime';
import type { GlassGround } from '../proposals/glass-ground.ts';
import { openProposals } from '../proposals/open-proposals.ts';
import type { Proposals } from '../proposals/proposals.ts';
import type { RecomputingLimits } from '../proposals/recomputing.ts';
import type { OpenLimits } from '../proposals/room.ts';
import { readProposals } from '../proposals/stored-proposal.ts';
import { type AttemptRecord, openRecord } from '../record/record.ts';
import { openNewestRoots } from './newest-root.ts';
import { serverKey } from './server-keys.ts';
import type { TrustRoots } from './trust-roots.ts';

/**
 * One store on disk, opened by one process. `keys/` holds what only the store has and is in no mirror; who serves writes
 * folders of its own beside it.
 *
 *     store.json            what store this is
 *     keys/                 sign heads and checkpoints    0600
 *     roots/N.json          signed trust roots
 *     record/               segments of the record
 *     proposals/ID/         state of each; its documents while it is open
 *     versions/N/           approval.json, bundle.ndjson: all that was ever published
 */
export interface StoreFolder {
  dir: string;
  store: string;
  /** Signs heads; another one after a trust root that lists another one. Throws EDW_ERR_STORE_KEY. */
  storeKey(): Promise<SigningKey>;
  logKey: SigningKey;
  roots: TrustRoots;
  record: AttemptRecord;
  proposals: Proposals;
  close(): Promise<void>;
}

export interface StoreFolderOptions {
  dir: string;
  clock: Clock;
  logger: Logger;
  /** Workload documents as they are now, for the tests of proposed policy. Without it they are not run here. */
  inventory?: () => Iterable<SourceDocument>;
  /** How far what was published is, for break-glass on top of it. Without it nobody rolls anything out. */
  rollout?: () => GlassGround;
  /** Of what is open at one time; `OPEN_LIMITS` without them. */
  limits?: Partial<OpenLimits>;
  /** Of what is computed again; those of `recomputing.ts` without them. */
  recomputing?: Partial<RecomputingLimits>;
}

/** Throws EDW_ERR_STORE_FOLDER, EDW_ERR_STATE_IN_USE, EDW_ERR_STORE_KEY, EDW_ERR_STORE_RECORD. */
export async function openStoreFolder(options: StoreFolderOptions): Promise<StoreFolder> {
  const { dir, clock, logger } = options;
  const store = await readStoreId(dir);
  const release = await takeStateLock(dir);
  const closers: (() => Promise<void>)[] = [release];
  const close = async (): Promise<void> => {
    for (const it of closers.splice(0).reverse()) await it();
  };
  try {
    const stored = await readProposals(join(dir, 'proposals'));
    const roots = await openNewestRoots(dir, stored);
    const logKey = await serverKey(dir, 'log', roots.newest());
    const root = (): number => roots.newest().version;
    const record = await openRecord({ dir: join(dir, 'record'), store, logKey, root, clock, logger });
    closers.push(() => record.close());
    const proposals = await openProposals({ ...options, roots, record, stored });
    closers.push(() => proposals.close());
    // In a minute would do for entries; of a trust root nothing else may be left by then.
    proposals.onPublished(({ kind }) => {
      if (kind === 'root') void record.sign();
    });
    return {
      dir,
      store,
      storeKey: () => serverKey(dir, 'store', roots.newest()),
      logKey,
      roots,
      record,
      proposals,
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** Throws EDW_ERR_STORE_FOLDER. */
async function readStoreId(dir: string): Promise<string> {
  try {
    const found: unknown = JSON.parse(await readFile(join(dir, STORE_FILE), 'utf8'));
    if (typeof found === 'object' && found !== null && 'store' in found && typeof found.store === 'string')
      return found.store;
  } catch (thrown) {
    throw folderError(dir, messageOf(thrown), thrown);
  }
  throw folderError(dir, `${STORE_FILE} names no store`);
}

export const STORE_FILE = 'store.json';

/** What `initStore` makes before it is done. */
const UNFINISHED = new Set(['keys', 'roots', 'record', 'lock']);

/** An empty folder, or one where making a store was cut off. Throws EDW_ERR_STORE_FOLDER for anything else. */
export async function requireUnused(dir: string): Promise<void> {
  await makeFolder(dir);
  const names = await readdir(dir);
  if (names.includes(STORE_FILE)) throw folderError(dir, 'there is a store already');
  const foreign = names.find((name) => !UNFINISHED.has(name) && !name.endsWith(unfinishedSuffix));
  if (foreign !== undefined) throw folderError(dir, `it is not empty: ${foreign}`);
}

function folderError(dir: string, why: string, cause?: unknown): EdgewardError {
  const missing = systemCodeOf(cause) === 'ENOENT';
  return new EdgewardError('EDW_ERR_STORE_FOLDER', `opening the store in ${dir}: ${missing ? 'there is none' : why}`, {
    mend: 'Name the folder of a store, or make one with `edgeward store init` in a folder that is empty.',
    ...(cause === undefined ? {} : { cause }),
  });
}
