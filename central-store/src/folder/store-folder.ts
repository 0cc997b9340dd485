import type { Person, SignedDocument, SigningKey, Thresholds, TrustRoot } from '@edgeward/policy-format';
import type { Clock, Logger } from '@edgeward/runtime';
import type { Proposals } from '../proposals/proposals.ts';
import type { AttemptRecord } from '../record/record.ts';

/**
 * One store on disk, opened by one process. `keys/` holds what only the store has and is in no mirror; who serves writes
 * folders of its own beside it.
 *
 *     store.json            what store this is
 *     keys/store.jwk        signs heads            0600
 *     keys/log.jwk          signs checkpoints      0600
 *     roots/N.json          signed trust roots
 *     record/               segments of the record
 *     proposals/ID/         documents and state of each
 *     versions/N/           approval.json, bundle.ndjson: all that was ever published
 */
export interface StoreFolder {
  dir: string;
  store: string;
  storeKey: SigningKey;
  logKey: SigningKey;
  roots: TrustRoots;
  record: AttemptRecord;
  proposals: Proposals;
  close(): Promise<void>;
}

export interface TrustRoots {
  newest(): TrustRoot;
  newestSigned(): SignedDocument;
  /** Null where there is none of this version. */
  signed(version: number): SignedDocument | null;
}

/** Throws EDW_ERR_STORE_FOLDER, EDW_ERR_STATE_IN_USE, EDW_ERR_KEY, EDW_ERR_STORE_RECORD. */
export function openStoreFolder(_options: { dir: string; clock: Clock; logger: Logger }): Promise<StoreFolder> {
  throw new Error('not yet');
}

export interface InitOptions {
  dir: string;
  people: Person[];
  thresholds: Thresholds;
  clock: Clock;
  logger: Logger;
  /** Approvers whose keys are at hand sign the first root; without any it is unsigned, and pinned by its digest. */
  approverKeys?: SigningKey[];
}

/** Makes a folder that is missing or empty into a store. Throws EDW_ERR_STORE_FOLDER, EDW_ERR_ROOT… */
export function initStore(_options: InitOptions): Promise<{ store: string; root: SignedDocument; digest: string }> {
  throw new Error('not yet');
}
