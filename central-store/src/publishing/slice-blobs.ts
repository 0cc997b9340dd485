/**
 * One approved version as its points get it: for each the bytes of its rules, and the approval with the way from those
 * rules up to the root that people signed. Made once a version, when a point first asks for it.
 */
import type { PointRules } from '@edgeward/policy';
import {
  type Approval,
  canonicalJson,
  type Digest,
  digestOf,
  requiredFeatures,
  type SignedDocument,
  sliceTree,
} from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Slice } from '../bundle/approval-payload.ts';

/** A version that people approved, whoever decides where it is in force. */
export interface ApprovedVersion {
  version: number;
  payload: Approval;
  approval: SignedDocument;
  /** Of all points, by name. */
  slices: readonly Slice[];
}

export interface NamedBytes {
  digest: Digest;
  bytes: Uint8Array;
}

export interface SliceBlobs {
  rules: PointRules;
  rulesBlob: NamedBytes;
  approvalBlob: NamedBytes;
  /** Sorted. */
  features: readonly string[];
}

/** Null where the version has nothing for this point. */
export type SlicesByPoint = (point: string) => SliceBlobs | null;

/** Throws EDW_ERR_STORE_SLICES when these are not the slices that were signed: no point would take one of them. */
export function slicesByPoint(version: ApprovedVersion): SlicesByPoint {
  const { slices, approval, payload } = version;
  const tree = sliceTree(slices.map(({ point, digest }) => ({ point, rulesDigest: digest })));
  if (tree.root !== payload.slices.root || tree.count !== payload.slices.count) throw otherSlices(version);
  const places = new Map(slices.map(({ point }, index) => [point, index]));
  const made = new Map<string, SliceBlobs>();
  return (point) => {
    const index = places.get(point);
    const slice = index === undefined ? undefined : slices[index];
    if (index === undefined || slice === undefined) return null;
    const known = made.get(point);
    if (known !== undefined) return known;
    const bytes = Buffer.from(canonicalJson({ approval, index, path: tree.proof(index) }));
    const blobs: SliceBlobs = {
      rules: slice.rules,
      rulesBlob: { digest: slice.digest, bytes: slice.bytes },
      approvalBlob: { digest: digestOf(bytes), bytes },
      features: requiredFeatures(slice.rules),
    };
    made.set(point, blobs);
    return blobs;
  };
}

function otherSlices({ version }: ApprovedVersion): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_SLICES', `publishing version ${version}: its slices are not those approved`, {
    mend: 'Run the release of Edgeward that it was approved with, or propose its documents once more with this one.',
  });
}
