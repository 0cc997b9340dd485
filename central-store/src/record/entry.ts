import { canonicalJson, type Digest, digestOf } from '@edgeward/policy-format';

/**
 * One line of the record of attempts: who tried what, how that person or machine was known, and what became of it.
 * Entries are chained by hash. A clock that is set back shows in `at`; the order is that of `seq`.
 */
export interface RecordEntry {
  /** 1, 2, 3 … without a gap. */
  seq: number;
  /** RFC 3339 in UTC with milliseconds. */
  at: string;
  actor: string;
  /** How the actor was known: `certificate`, `local`, `store`. */
  by: string;
  /** `proposal.publish` */
  action: string;
  /** `proposal/1f0c…`, `version/12` */
  target: string;
  digest?: Digest;
  outcome: Outcome;
  /** The code of a refusal or failure. */
  code?: string;
  /** What the actor gave as reason, or the message of a refusal or failure. */
  reason?: string;
  revision?: number;
  /** Hash of the entry before; 64 zeros in the first. */
  prev: Digest;
}

/** `failed`: was allowed, and its effect did not come about or not whole. `dry-run`: was asked for without effect. */
export type Outcome = 'allowed' | 'refused' | 'failed' | 'dry-run';

/** What a caller says; the record adds `seq`, `at` and `prev`. */
export type NewEntry = Omit<RecordEntry, 'seq' | 'at' | 'prev'>;

export const FIRST_PREV: Digest = '0'.repeat(64);

/** The line without its line break. */
export function lineOf(entry: RecordEntry): string {
  return canonicalJson(entry);
}

export function hashOf(line: string): Digest {
  return digestOf(line);
}
