import * as z from 'zod';
import { canonicalJson } from './canonical-json.ts';
import { type Digest, digestOf } from './digest.ts';
import { countField, digestField, instantField, nameField, ordinalField, readAs, storeField } from './fields.ts';
import { refused } from './refusal.ts';
import { rootFault } from './root-faults.ts';

/**
 * Whom a store, its points and its people believe: keys and thresholds. The first one is pinned by hand at every verifier;
 * each later one is signed by enough approvers of the one before it and of itself (as in TUF, section 5.3).
 */
export interface TrustRoot {
  typ: 'edgeward-root/1';
  /** Random, 32 hex digits: no signature of one store means anything in another. */
  store: string;
  /** 1, 2, 3 … */
  version: number;
  /** Raised by people to recover from a revision that was driven up; resets the floor of every point. */
  epoch: number;
  /** Digest of the payload of the version before; null in the first. */
  previous: string | null;
  issuedAt: string;
  people: Person[];
  thresholds: Thresholds;
  /** Who may sign heads. */
  storeKeys: PublicKey[];
  /** Who may sign checkpoints of the record. */
  logKeys: PublicKey[];
}

export interface Person {
  /** As a name of the policy language. A client certificate names it as `urn:edgeward:person:NAME`. */
  name: string;
  roles: Role[];
  /** For authors and approvers. */
  keys: PublicKey[];
}

export const ROLES = ['viewer', 'author', 'approver', 'publisher', 'auditor'] as const;

export type Role = (typeof ROLES)[number];

export interface PublicKey {
  /** The first 16 characters of the JWK thumbprint (RFC 7638). */
  kid: string;
  /** `x` of an OKP JWK, Ed25519: 43 characters of base64url. */
  x: string;
}

/** How many approvers beside the proposer. The proposer's own signature is always needed and never counts. */
export interface Thresholds {
  /** A change without a risk. */
  normal: number;
  /** A change with one. */
  elevated: number;
  /** Changes of this document. */
  root: number;
  /** Hours that one approver alone can open something for; 0 switches it off, 4 at most. */
  breakGlassHours: number;
}

const publicKey: z.ZodType<PublicKey> = z.strictObject({
  kid: z.string().regex(/^[A-Za-z0-9_-]{16}$/, 'is no key id'),
  x: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'is no Ed25519 key')
    // The last character carries two bits that nobody reads: other ones would be another spelling of the same key.
    .refine((x) => Buffer.from(x, 'base64url').toString('base64url') === x, 'is no Ed25519 key in its own spelling'),
});

/** Kept for machines: no more than this many of anything, so that checking a root stays cheap. */
const MAX_KEYS = 16;
const MAX_PEOPLE = 500;
/** Their signatures, and the proposer's, stand on one document. */
const MAX_APPROVERS = 32;

const roles = z.array(z.enum(ROLES)).refine((them) => new Set(them).size === them.length, 'names a role twice');
const threshold = z.int().min(1).max(MAX_APPROVERS);

export const trustRootSchema: z.ZodType<TrustRoot> = z.strictObject({
  typ: z.literal('edgeward-root/1'),
  store: storeField,
  version: ordinalField,
  epoch: countField,
  previous: digestField.nullable(),
  issuedAt: instantField,
  people: z.array(z.strictObject({ name: nameField, roles, keys: z.array(publicKey).max(MAX_KEYS) })).max(MAX_PEOPLE),
  thresholds: z
    .strictObject({
      normal: threshold,
      elevated: threshold,
      root: threshold,
      breakGlassHours: z.int().min(0).max(4),
    })
    .refine(({ normal, elevated }) => elevated >= normal, 'asks for less with a risk than without'),
  storeKeys: z.array(publicKey).min(1).max(MAX_KEYS),
  logKeys: z.array(publicKey).min(1).max(MAX_KEYS),
});

/**
 * A trust root that can be worked with. Throws EDW_ERR_FORMAT_ROOT for another form, and EDW_ERR_ROOT_KEY_ID, _KEY_SHARED,
 * _KEY_WEAK, _PEOPLE or _THRESHOLDS for one that would believe the wrong people, or nobody ever again.
 */
export function trustRootOf(value: unknown): TrustRoot {
  const root = readAs(trustRootSchema, value, 'EDW_ERR_FORMAT_ROOT', 'the trust root');
  if ((root.version === 1) !== (root.previous === null))
    throw refused('EDW_ERR_FORMAT_ROOT', 'the trust root: only its first version has none before it');
  const fault = rootFault(root);
  if (fault !== null) throw refused(fault.code, `version ${root.version} of the trust root: ${fault.problem}`);
  return root;
}

/** Of the bytes that were signed; `previous` of the version after it. */
export function digestOfRoot(root: TrustRoot): Digest {
  return digestOf(canonicalJson(root));
}
