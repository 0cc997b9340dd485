/**
 * What a store answers, read as loosely as it can be used: newer stores may say more. Nothing in it is believed for what
 * it says of policy; that is signed, and verified elsewhere.
 */
import { LIMITS, type SignedDocument, signedDocumentOf } from '@edgeward/policy-format';
import * as z from 'zod';

const signed: z.ZodType<SignedDocument> = z.unknown().transform((value, context) => {
  try {
    return signedDocumentOf(value);
  } catch {
    context.addIssue('is no signed document');
    return z.NEVER;
  }
});

const given = z.array(z.object({ person: z.string(), at: z.string(), reason: z.string() })).max(LIMITS.signatures);

export interface ShownProposal {
  id: string;
  kind: 'policy' | 'root';
  state: string;
  proposedBy: string;
  proposedAt: string;
  expiresAt: string;
  reason: string;
  approvals: { needed: number; given: { person: string; at: string; reason: string }[] };
}

const summary = {
  id: z.string().regex(/^[0-9a-f]{16}$/),
  kind: z.enum(['policy', 'root']),
  state: z.string(),
  proposedBy: z.string(),
  proposedAt: z.string(),
  expiresAt: z.string(),
  reason: z.string(),
  approvals: z.object({ needed: z.number(), given }),
};

export const proposalsAnswer: z.ZodType<{ proposals: ShownProposal[] }> = z.object({
  proposals: z.array(z.object(summary)),
});

export type OpenedProposal = ShownProposal & {
  document: SignedDocument;
  rejected: { by: string; at: string; reason: string } | null;
  version: number | null;
};

export const proposalAnswer: z.ZodType<OpenedProposal> = z.object({
  ...summary,
  document: signed,
  rejected: z.object({ by: z.string(), at: z.string(), reason: z.string() }).nullable(),
  version: z.number().nullable(),
});

export interface ShownVersion {
  version: number;
  approval: SignedDocument;
  publishedAt: string;
  publishedBy: string;
}

export const versionAnswer: z.ZodType<ShownVersion> = z.object({
  version: z.number(),
  approval: signed,
  publishedAt: z.string(),
  publishedBy: z.string(),
});

export const publishedAnswer: z.ZodType<{ kind: 'policy' | 'root'; version: number }> = z.object({
  kind: z.enum(['policy', 'root']),
  version: z.number(),
});

export const acceptedAnswer: z.ZodType<{ accepted: number }> = z.object({ accepted: z.number() });

export interface ShownCheckpoint {
  size: number;
  hash: string;
  signed: SignedDocument | null;
}

export const checkpointAnswer: z.ZodType<ShownCheckpoint> = z.object({
  size: z.number(),
  hash: z.string(),
  signed: signed.nullable(),
});

export const anything: z.ZodType<unknown> = z.unknown();
