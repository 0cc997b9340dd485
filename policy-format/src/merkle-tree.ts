import { createHash } from 'node:crypto';
import { type Digest, digestOf, isDigest } from './digest.ts';

/**
 * The hash tree of RFC 6962, section 2.1: leaves and nodes are hashed apart, so that a node is never shown for a leaf. All
 * levels are kept; a proof is then one reading a level, and 5,000 leaves take 10,000 hashes once.
 */
export interface MerkleTree {
  root: Digest;
  count: number;
  /** Hashes beside the way from this leaf to the root, from the leaf up. Throws RangeError for no leaf. */
  proof(index: number): Digest[];
}

/** `leaves` are what `leafHash` made. */
export function merkleTree(leaves: readonly Digest[]): MerkleTree {
  const levels = levelsOver(leaves);
  const root = levels.at(-1)?.[0] ?? EMPTY_ROOT;
  return {
    root,
    count: leaves.length,
    proof(index) {
      if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
        throw new RangeError(`the tree has ${leaves.length} leaves, and none is number ${index}`);
      return levels.flatMap((level, height) => level[(Math.floor(index / 2 ** height) ^ 1) >>> 0] ?? []);
    },
  };
}

export function leafHash(text: string): Digest {
  return createHash('sha256').update(LEAF).update(text).digest('hex');
}

/**
 * RFC 9162, section 2.1.3.2. False as well for an index or a path that no tree of this count has. Throws nothing, whatever
 * is handed in.
 */
export function isInTree(
  tree: { root: Digest; count: number },
  leaf: Digest,
  index: number,
  path: readonly Digest[],
): boolean {
  if (!Number.isSafeInteger(tree.count) || !Number.isSafeInteger(index)) return false;
  if (index < 0 || index >= tree.count || path.length > MAX_HEIGHT || !path.every(isDigest)) return false;
  let node = index;
  let last = tree.count - 1;
  let hash = leaf;
  for (const beside of path) {
    // The last node of a level may have nobody beside it: it then goes up as it is.
    while (node === last && node % 2 === 0 && last > 0) {
      node /= 2;
      last /= 2;
    }
    if (last === 0) return false;
    hash = node % 2 === 1 ? nodeHash(beside, hash) : nodeHash(hash, beside);
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hash === tree.root;
}

/** Of no leaf at all. */
const EMPTY_ROOT: Digest = digestOf('');
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);
/** More than any safe integer of leaves needs. */
const MAX_HEIGHT = 64;

function levelsOver(leaves: readonly Digest[]): (readonly Digest[])[] {
  const levels = [leaves];
  for (let level = leaves; level.length > 1; ) {
    level = levelAbove(level);
    levels.push(level);
  }
  return levels;
}

/** Pairs from the left are the split at the largest power of two; one that is left over goes up as it is. */
function levelAbove(level: readonly Digest[]): Digest[] {
  const above: Digest[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const left = level[at];
    const right = level[at + 1];
    if (left !== undefined) above.push(right === undefined ? left : nodeHash(left, right));
  }
  return above;
}

function nodeHash(left: Digest, right: Digest): Digest {
  return createHash('sha256').update(NODE).update(left, 'hex').update(right, 'hex').digest('hex');
}
