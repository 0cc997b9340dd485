import type { Checkpoint, SignedDocument, SigningKey } from '@edgeward/policy-format';
import type { Clock, Logger } from '@edgeward/runtime';
import type { NewEntry, RecordEntry } from './entry.ts';

export interface AttemptRecord {
  /** Settles when the entry is on disk. Throws EDW_ERR_STORE_RECORD; then nothing may happen that it was to tell of. */
  append(entry: NewEntry): Promise<RecordEntry>;
  /** Of what is on disk. */
  checkpoint(): Checkpoint;
  /** The newest signed one, `edgeward-checkpoint/1`; null before the first. */
  signedCheckpoint(): SignedDocument | null;
  /** Entries with `seq` greater than `after`, at most `limit` of them. */
  read(options: { after: number; limit: number }): Promise<RecordEntry[]>;
  /** Signs a last checkpoint. */
  close(): Promise<void>;
}

export interface RecordOptions {
  /** The folder of segments; made where it is missing. */
  dir: string;
  store: string;
  logKey: SigningKey;
  clock: Clock;
  logger: Logger;
  segmentBytes?: number;
}

export function openRecord(_options: RecordOptions): Promise<AttemptRecord> {
  throw new Error('not yet');
}
