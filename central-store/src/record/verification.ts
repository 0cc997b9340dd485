import type { Checkpoint, PublicKey } from '@edgeward/policy-format';

export interface RecordProblem {
  /** The entry that it begins at; 0 where there is none. */
  seq: number;
  kind:
    | 'chain'
    | 'order'
    | 'missing-segment'
    | 'truncated'
    | 'contradicts-checkpoint'
    | 'contradicts-witness'
    | 'unreadable'
    | 'signature';
  message: string;
}

export interface RecordVerification {
  checkpoint: Checkpoint;
  /** The newest checkpoint whose signature holds. */
  signed: Checkpoint | null;
  problems: RecordProblem[];
}

/**
 * Reads a whole record, entry by entry. `witnesses` are checkpoints that were seen elsewhere: in heads, by points.
 * Needs no open record and no private key.
 */
export function verifyRecord(
  _dir: string,
  _logKeys: readonly PublicKey[],
  _witnesses: readonly Checkpoint[],
): Promise<RecordVerification> {
  throw new Error('not yet');
}
