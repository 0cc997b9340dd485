import * as z from 'zod';
import { type Digest, digestOf } from './digest.ts';
import {
  ascends,
  countField,
  digestField,
  instantField,
  NOT_ASCENDING,
  nameField,
  ordinalField,
  readAs,
  storeField,
} from './fields.ts';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';
import { type SignedDocument, type SigningKey, sign } from './signing.ts';

/** The newest state of one point, signed by a key of the store. About 1 kB: everything else is named by its digest. */
export interface Head {
  typ: 'edgeward-head/1';
  store: string;
  /** The point. */
  aud: string;
  epoch: number;
  /** Grows by what the store publishes anywhere; a head that does not concern a point keeps its number. */
  revision: number;
  issuedAt: string;
  /** From then on `policy_stale`; never a reason to open or close. */
  expiresAt: string;
  /** Version of the trust root that the newest approval was made under. */
  root: number;
  /** Features that must be known, sorted; see `FEATURES`. */
  requires: string[];
  /** A `SliceApproval`. */
  approval: Blob;
  /** A `PointRules`. */
  rules: Blob;
  /** Under a break-glass approval: what is in force again when it ends. */
  base: { approval: Blob; rules: Blob } | null;
  /** The index of member pages. */
  members: Blob;
  stateRoot: Digest;
  /** The record of attempts when this was signed: how many entries, and the hash of the last. */
  log: Checkpoint;
}

export interface Blob {
  digest: Digest;
  bytes: number;
}

export interface Checkpoint {
  size: number;
  hash: Digest;
}

/** What a state consists of, by name: of a head, or of whoever makes one. */
export interface StateParts {
  approval: { digest: Digest };
  rules: { digest: Digest };
  base: { approval: { digest: Digest }; rules: { digest: Digest } } | null;
  members: { digest: Digest };
}

const MAX_FEATURES = 64;

export function blobSchema(maxBytes: number): z.ZodType<Blob> {
  return z.strictObject({ digest: digestField, bytes: z.int().min(0).max(maxBytes) });
}

const approval = blobSchema(LIMITS.approvalBytes);
const rules = blobSchema(LIMITS.rulesBytes);

export const checkpointSchema: z.ZodType<Checkpoint> = z.strictObject({ size: countField, hash: digestField });

export const headSchema: z.ZodType<Head> = z.strictObject({
  typ: z.literal('edgeward-head/1'),
  store: storeField,
  aud: nameField,
  epoch: countField,
  revision: ordinalField,
  issuedAt: instantField,
  expiresAt: instantField,
  root: ordinalField,
  requires: z
    .array(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'is no name of a feature'))
    .max(MAX_FEATURES)
    .refine(ascends, NOT_ASCENDING),
  approval,
  rules,
  base: z.strictObject({ approval, rules }).nullable(),
  members: blobSchema(LIMITS.indexBytes),
  stateRoot: digestField,
  log: checkpointSchema,
});

/** What the payload of a head says, whoever signed it. Throws EDW_ERR_FORMAT_HEAD. */
export function headOf(value: unknown): Head {
  const head = readAs(headSchema, value, 'EDW_ERR_FORMAT_HEAD', 'the head');
  // Written alike, times are in the order of their texts.
  if (head.expiresAt <= head.issuedAt) throw refused('EDW_ERR_FORMAT_HEAD', 'the head: it ends before it is issued');
  if (Date.parse(head.expiresAt) - Date.parse(head.issuedAt) > LIMITS.headLifeMs)
    throw refused('EDW_ERR_FORMAT_HEAD', 'the head: it lives longer than any may');
  return head;
}

export function signHead(head: Head, key: SigningKey): Promise<SignedDocument> {
  return sign(head, [key]);
}

/** One digest for all that a point holds. It follows from what a head names, and a delta has to reach it. */
export function stateRootOf({ approval, rules, base, members }: StateParts): Digest {
  const before = base === null ? '-' : `${base.approval.digest} ${base.rules.digest}`;
  return digestOf(`edgeward-state/1\n${approval.digest}\n${rules.digest}\n${before}\n${members.digest}\n`);
}

/**
 * A reason to say so, and never a reason to open or close. A head of tomorrow counts as well: whoever stole a key for an
 * hour could otherwise sign one that never ends, and keep its point silent for ever.
 */
export function isStale(head: Pick<Head, 'issuedAt' | 'expiresAt'>, nowMs: number): boolean {
  return nowMs >= Date.parse(head.expiresAt) || Date.parse(head.issuedAt) > nowMs + CLOCKS_APART_MS;
}

const CLOCKS_APART_MS = 24 * 3_600_000;
