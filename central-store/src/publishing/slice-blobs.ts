/**
 * One approved version as its points get it: for each the bytes of its rules, and the approval with the way from those
 * rules up to the root that people signed. Made once a version, when a point first asks for it.
 */
import {
  type Approval,
  canonicalJson,
  type Digest,
  digestOf,
  type SignedDocument,
  sliceTree,
} from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Slice } from '../bundle/approval-payload.ts';
import { createOutlines, type RulesOutline } from './rules-outline.ts';

/** A version that people approved, whoever decides where it is in force. */
export interface ApprovedVersion {
  version: number;
  payload: Approval;
  approval: SignedDocument;
  /** Of all points, by name. */
  slices: readonly VersionSlice[];
}

export interface VersionSlice extends Omit<Slice, 'rules'> {
  rules: RulesOutline;
}

export interface NamedBytes {
  digest: Digest;
  bytes: Uint8Array;
}

/** `bytes` may be made when they are asked for: `length` is how many. */
export interface SizedBytes extends NamedBytes {
  length: number;
}

export interface SliceBlobs {
  rules: RulesOutline;
  rulesBlob: SizedBytes;
  approvalBlob: SizedBytes;
}

/** Null where the version has nothing for this point. */
export type SlicesByPoint = (point: string) => SliceBlobs | null;

/** Of their rules, what the store itself needs. */
export async function versionSlices(slices: AsyncIterable<Slice> | Iterable<Slice>): Promise<VersionSlice[]> {
  const outlineOf = createOutlines();
  const made: VersionSlice[] = [];
  for await (const { rules, ...slice } of slices) made.push({ ...slice, rules: outlineOf(rules) });
  return made;
}

/** Throws EDW_ERR_STORE_SLICES when these are not the slices that were signed: no point would take one of them. */
export function slicesByPoint(version: ApprovedVersion): SlicesByPoint {
  const { slices, approval, payload } = version;
  const tree = sliceTree(slices.map(({ point, digest }) => ({ point, rulesDigest: digest })));
  if (tree.root !== payload.slices.root || tree.count !== payload.slices.count) throw otherSlices(version);
  const places = new Map(slices.map(({ point }, index) => [point, index]));
  const made = new Map<string, SliceBlobs>();
  // The same for all points, and made again whenever somebody asks for one of their blobs.
  const text = canonicalJson(approval);
  const approvalBytes = (index: number): Buffer =>
    Buffer.from(`{"approval":${text},"index":${index},"path":${canonicalJson(tree.proof(index))}}`);
  return (point) => {
    const index = places.get(point);
    const slice = index === undefined ? undefined : slices[index];
    if (index === undefined || slice === undefined) return null;
    const known = made.get(point);
    if (known !== undefined) return known;
    const blobs: SliceBlobs = {
      rules: slice.rules,
      rulesBlob: sizedBytes(slice.digest, slice.bytes),
      approvalBlob: madeWhenAsked(() => approvalBytes(index)),
    };
    made.set(point, blobs);
    return blobs;
  };
}

export function sizedBytes(digest: Digest, bytes: Uint8Array): SizedBytes {
  return { digest, bytes, length: bytes.length };
}

/** They are written once and then lie on the disk; in memory they would stay as long as the point has them. */
function madeWhenAsked(make: () => Buffer): SizedBytes {
  const first = make();
  return {
    digest: digestOf(first),
    length: first.length,
    get bytes() {
      return make();
    },
  };
}

function otherSlices({ version }: ApprovedVersion): EdgewardError {
  return new EdgewardError('EDW_ERR_STORE_SLICES', `publishing version ${version}: its slices are not those approved`, {
    mend: 'Run the release of Edgeward that it was approved with, or propose its documents once more with this one.',
  });
}
