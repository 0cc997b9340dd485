import type { Digest } from './digest.ts';
import type { SignedDocument } from './signing.ts';

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

/** Sorted, each once. */
export type Risk =
  | 'any-source'
  | 'deny-removed'
  | 'fence-widened'
  | 'many-rules'
  | 'mode-lowered'
  | 'proxies-widened'
  | 'restored'
  | 'tests-removed'
  | 'unfenced';

/** What a point is shown of an approval: a blob, named by the digest of its canonical JSON. */
export interface SliceApproval {
  approval: SignedDocument;
  /** Its place in the tree, and the hashes beside the way to the root, from the leaf up. */
  index: number;
  path: Digest[];
}
