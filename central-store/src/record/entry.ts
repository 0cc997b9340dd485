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
  /** How the actor was known: `certificate`, `nats` (the right to its subject), `local`, `store`. */
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

/** No line of the record is longer, whatever a request holds. */
export const MAX_LINE_BYTES: number = 16 * 1024;

const MAX_TEXT = 1024;
const MAX_NAME = 256;

/** Texts are cut where they are too long: an entry is always written, and never large. */
export function entryOf(entry: NewEntry, seq: number, at: string, prev: Digest): RecordEntry {
  const { actor, by, action, target, outcome } = entry;
  return {
    ...entry,
    seq,
    at,
    actor: short(actor, MAX_NAME),
    by: short(by, MAX_NAME),
    action: short(action, MAX_NAME),
    target: short(target, MAX_NAME),
    outcome,
    ...(entry.digest === undefined ? {} : { digest: short(entry.digest, MAX_NAME) }),
    ...(entry.reason === undefined ? {} : { reason: short(entry.reason, MAX_TEXT) }),
    prev,
  };
}

function short(text: string, max: number): string {
  const cut = text.length > max ? `${text.slice(0, max - 1)}…` : text;
  // Half a surrogate pair can not be written in UTF-8, and would read back as something else.
  return Buffer.from(cut).toString();
}

/** The line without its line break. */
export function lineOf(entry: RecordEntry): string {
  return canonicalJson(entry);
}

export function hashOf(line: string): Digest {
  return digestOf(line);
}

const TEXTS = ['at', 'actor', 'by', 'action', 'target', 'outcome', 'prev'] as const;
const KNOWN = new Set<string>([...TEXTS, 'seq', 'digest', 'code', 'reason', 'revision']);

/** An entry from its line, or null for anything that is not exactly what `lineOf` writes. */
export function parseEntry(line: string): RecordEntry | null {
  try {
    const value: unknown = JSON.parse(line);
    if (!isEntry(value) || lineOf(value) !== line) return null;
    return value;
  } catch {
    return null;
  }
}

function isEntry(value: unknown): value is RecordEntry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const fields = value as { [key: string]: unknown };
  if (!Object.keys(fields).every((key) => KNOWN.has(key))) return false;
  return Number.isSafeInteger(fields.seq) && TEXTS.every((key) => typeof fields[key] === 'string');
}
