import type { PublicKey } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import * as z from 'zod';
import { nameField, valueIn } from './fields.ts';

/** How a host comes by its identity: once by a secret that a person carried there, later by the identity it has. */
export interface EnrolmentRequest {
  v: 1;
  secret: string;
  /** SPKI, PEM; EC P-256. */
  publicKey: string;
  /** Over `enrolmentStatement(secret, publicKey)`. */
  proof: string;
}

export interface RenewalRequest {
  v: 1;
  publicKey: string;
  /** Over `renewalStatement(point, publicKey)`; the point is that of the client certificate. */
  proof: string;
}

export interface EnrolmentAnswer {
  v: 1;
  point: string;
  /** PEM. */
  certificate: string;
  /** PEM. */
  authority: string;
  /** Whose policies this host believes. */
  signingKeys: PublicKey[];
  /** URLs of the listener with mutual TLS, https. */
  service: string[];
}

/** What a person carries to the host. */
export interface Invite {
  /** Of the listener of enrolment, https. */
  url: string;
  secret: string;
  /** sha256 of the authority's certificate in DER, lower-case hex. */
  authority: string;
}

export const MAX_ENROLMENT_BYTES: number = 16 * 1024;
const MAX_PEM = 4_096;

const secretField = z.string().regex(/^[A-Za-z0-9_-]{22,86}$/, 'is no secret');
const keyField = z.string().min(1).max(MAX_PEM);
const proofField = z.string().regex(/^[A-Za-z0-9_-]{16,200}$/, 'is no signature in base64url');
const urlField = z
  .string()
  .max(500)
  .refine((text) => isPlainHttps(text), 'is no https address');

export const enrolmentRequestSchema: z.ZodType<EnrolmentRequest> = z.object({
  v: z.literal(1),
  secret: secretField,
  publicKey: keyField,
  proof: proofField,
});

export const renewalRequestSchema: z.ZodType<RenewalRequest> = z.object({
  v: z.literal(1),
  publicKey: keyField,
  proof: proofField,
});

const publicKey: z.ZodType<PublicKey> = z.object({
  kid: z.string().regex(/^[A-Za-z0-9_-]{16}$/),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});

export const enrolmentAnswerSchema: z.ZodType<EnrolmentAnswer> = z.object({
  v: z.literal(1),
  point: nameField,
  certificate: z.string().min(1).max(16_384),
  authority: z.string().min(1).max(16_384),
  signingKeys: z.array(publicKey).min(1).max(16),
  service: z.array(urlField).min(1).max(32),
});

const inviteSchema: z.ZodType<Invite> = z.object({
  url: urlField,
  secret: secretField,
  authority: z.string().regex(/^[0-9a-f]{64}$/, 'is no sha256 in lower-case hex'),
});

/** One line, to be pasted. */
export function formatInvite({ url, secret, authority }: Invite): string {
  return Buffer.from(JSON.stringify({ url, secret, authority })).toString('base64url');
}

/** Throws EDW_ERR_HOST_INVITE; the message has nothing of the invite in it. */
export function parseInvite(text: string): Invite {
  const trimmed = text.trim();
  if (!/^[A-Za-z0-9_-]{1,2048}$/.test(trimmed)) throw noInvite('it is not one line of letters and digits');
  const value = valueIn(Buffer.from(trimmed, 'base64url').toString('utf8'));
  const read = inviteSchema.safeParse(value);
  if (read.success) return read.data;
  const parts = new Set(read.error.issues.map(({ path: [part] }) => PART_WORDS[String(part)]));
  const wrong = [...parts].filter((words) => words !== undefined);
  throw noInvite(wrong.length === 0 ? 'it is cut off, or another text than an invite' : wrong.join('; '));
}

/** What a person reads of a part that is missing or makes no sense. */
const PART_WORDS: Readonly<Record<string, string>> = {
  url: 'it does not say at which https address to enrol',
  secret: 'it has no secret in it',
  authority: 'it does not say by whose certificate to know the service',
};

function noInvite(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_INVITE', `reading an invite: ${why}`, {
    mend: 'Copy the whole line that `edgeward hosts invite` printed, or make another invite.',
  });
}

function isPlainHttps(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' && url.username === '' && url.password === '';
}
