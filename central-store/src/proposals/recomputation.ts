/**
 * A proposed payload, computed again from bytes: a pure function that takes what can be sent to another thread, so that it
 * comes to the same wherever it runs. Of what it makes only the slices are of use later.
 */
import type { SourceDocument } from '@edgeward/policy';
import type { Approval, Digest, TrustRoot } from '@edgeward/policy-format';
import { recomputeApproval } from '../bundle/approval-payload.ts';
import { parseBundle } from '../bundle/bundle.ts';
import { linesOf } from './slicing.ts';

export interface Recomputation {
  payload: Approval;
  root: TrustRoot;
  /** Canonical documents, as they were handed in. */
  documents: Uint8Array<ArrayBuffer>;
  /** `approved`: canonical documents of the newest version that was approved in full. */
  previous: { approval: Approval; digest: Digest; approved: Uint8Array<ArrayBuffer> } | null;
  /** `[file, value]` of each workload, one a line; null: nothing is said that depends on who is where. */
  inventory: readonly Uint8Array<ArrayBuffer>[] | null;
}

/** The answer: rules documents, one a line, as `slicesFrom` reads them. Throws EDW_ERR_BUNDLE, EDW_ERR_PROPOSAL_POLICY, EDW_ERR_PROPOSAL_INPUT, EDW_ERR_PROPOSAL_DIFFERS, EDW_ERR_FORMAT_…. */
export function recompute({ payload, root, documents, previous, inventory }: Recomputation): Uint8Array {
  const bundle = parseBundle(documents);
  const before = previous === null ? null : { ...previous, approved: parseBundle(previous.approved) };
  const around = inventory === null ? {} : { inventory: inventory.flatMap(documentsIn) };
  return linesOf(recomputeApproval(payload, { bundle, previous: before, root, ...around }).slices);
}

function documentsIn(lines: Uint8Array): SourceDocument[] {
  const written = new TextDecoder().decode(lines).split('\n').slice(0, -1);
  return written.map((line) => {
    const [file, value] = JSON.parse(line) as [string, unknown];
    return { file, value, locate: () => ({ line: 1, column: 1 }) };
  });
}
