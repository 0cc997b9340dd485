import * as z from 'zod';
import { parseCanonical } from './canonical-json.ts';
import type { Digest } from './digest.ts';
import {
  ascends,
  countField,
  digestField,
  instantField,
  NOT_ASCENDING,
  nameField,
  ordinalField,
  readAs,
  sentenceField,
  storeField,
} from './fields.ts';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';
import { type SignedDocument, signedDocumentOf } from './signing.ts';

/**
 * What the author and the approvers sign: one version of what people decided, as each of their machines computed it.
 * A point needs its own slice only; `slices.root` ties the slice to the signatures.
 */
export interface Approval {
  typ: 'edgeward-approval/1';
  store: string;
  /** Version of the trust root that it was made under. */
  root: number;
  /** 1, 2, 3 … */
  version: number;
  /** Digest of the payload of the version before; null in the first. */
  previous: Digest | null;
  /** Of the document bundle: canonical documents, sorted, one a line. */
  documents: { digest: Digest; bytes: number; count: number };
  /** Root of the tree over the rules documents of all points, in the order of their names. */
  slices: { root: Digest; count: number };
  proposedBy: string;
  proposedAt: string;
  /** Not published by then: void. */
  expiresAt: string;
  reason: string;
  risks: Risk[];
  /** Approvers needed beside the author, as the risks and the trust root say. */
  approvals: number;
  /** One approver alone; at this instant the version before is in force again. */
  breakGlass: { endsAt: string } | null;
  /** Until then the store may return to the version before, in a roll-out; null: never. */
  returnUntil: string | null;
}

/** An approval lists those it has in this order, each once. */
const RISKS = [
  'any-source',
  'deny-removed',
  'fence-widened',
  'many-rules',
  'mode-lowered',
  'proxies-widened',
  'restored',
  'tests-removed',
  'unfenced',
] as const;

export type Risk = (typeof RISKS)[number];

/** What a point is shown of an approval: a blob, named by the digest of its canonical JSON. */
export interface SliceApproval {
  approval: SignedDocument;
  /** Its place in the tree, and the hashes beside the way to the root, from the leaf up. */
  index: number;
  path: Digest[];
}

const MAX_PATH = 64;

export const approvalSchema: z.ZodType<Approval> = z.strictObject({
  typ: z.literal('edgeward-approval/1'),
  store: storeField,
  root: ordinalField,
  version: ordinalField,
  previous: digestField.nullable(),
  documents: z.strictObject({ digest: digestField, bytes: countField, count: countField }),
  slices: z.strictObject({ root: digestField, count: countField }),
  proposedBy: nameField,
  proposedAt: instantField,
  expiresAt: instantField,
  reason: sentenceField,
  risks: z.array(z.enum(RISKS)).refine(ascends, NOT_ASCENDING),
  approvals: z.int().min(0).max(LIMITS.signatures),
  breakGlass: z.strictObject({ endsAt: instantField }).nullable(),
  returnUntil: instantField.nullable(),
});

const slice: z.ZodType<{ approval: unknown; index: number; path: Digest[] }> = z.strictObject({
  approval: z.unknown(),
  index: countField,
  path: z.array(digestField).max(MAX_PATH),
});

/** What the payload of an approval says, whoever signed it. Throws EDW_ERR_FORMAT_APPROVAL. */
export function approvalOf(value: unknown): Approval {
  const approval = readAs(approvalSchema, value, 'EDW_ERR_FORMAT_APPROVAL', 'the approval');
  const problem = contradictionIn(approval);
  if (problem !== null) throw refused('EDW_ERR_FORMAT_APPROVAL', `the approval: ${problem}`);
  return approval;
}

/** The blob that a head names. Throws EDW_ERR_FORMAT_…; what is signed in it is not read. */
export function sliceApprovalOf(bytes: Uint8Array): SliceApproval {
  const value = parseCanonical(bytes, 'the approval of a slice', LIMITS.approvalBytes);
  const { approval, index, path } = readAs(slice, value, 'EDW_ERR_FORMAT_APPROVAL', 'the approval of a slice');
  return { approval: signedDocumentOf(approval), index, path };
}

function contradictionIn(approval: Approval): string | null {
  const { version, previous, proposedAt, expiresAt, breakGlass, returnUntil } = approval;
  if ((version === 1) !== (previous === null)) return 'only version 1 has none before it';
  // Written alike, times are in the order of their texts.
  if (expiresAt <= proposedAt) return 'it ends before it is proposed';
  if (breakGlass !== null && version === 1) return 'break-glass needs a version to go back to';
  if (breakGlass !== null && breakGlass.endsAt <= proposedAt) return 'break-glass ends before it is proposed';
  if (returnUntil !== null && version === 1) return 'there is no version to return to';
  return null;
}
