import { type Digest, isDigest } from './digest.ts';
import { isInTree, leafHash, type MerkleTree, merkleTree } from './merkle-tree.ts';
import { isName } from './name.ts';

/**
 * The tree over what every point is to have. People sign its root and count; a point is shown its own leaf with the way up,
 * and learns nothing of any other. Which point a leaf is for is part of the leaf: a slice of another point is not in it.
 */
export interface SliceLeaf {
  point: string;
  /** Of the canonical bytes of its `PointRules`. */
  rulesDigest: Digest;
}

export interface SlicePlace extends SliceLeaf {
  index: number;
  path: readonly Digest[];
}

/**
 * In the order of names, each once: then equal slices have one root. A RangeError for another order, as that is a fault of
 * the caller. The root of no leaves is the sha256 of nothing, and no slice is in it.
 */
export function sliceTree(leaves: readonly SliceLeaf[]): MerkleTree {
  leaves.forEach(({ point, rulesDigest }, at) => {
    const before = leaves[at - 1];
    if (before !== undefined && before.point >= point) throw new RangeError(`slices out of order at ${point}`);
    if (!isName(point) || !isDigest(rulesDigest)) throw new RangeError(`slice ${at} has no name or no digest`);
  });
  return merkleTree(leaves.map(leafOf));
}

/** Whether exactly this slice stands at this place. The count is signed: index and path have to fit it exactly. */
export function verifySlice(slices: { root: Digest; count: number }, place: SlicePlace): boolean {
  if (!isName(place.point) || !isDigest(place.rulesDigest)) return false;
  return isInTree(slices, leafOf(place), place.index, place.path);
}

function leafOf({ point, rulesDigest }: SliceLeaf): Digest {
  return leafHash(`${point}\n${rulesDigest}`);
}
