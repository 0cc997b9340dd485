import { createHash } from 'node:crypto';
import t from 'tap';
import { digestOf } from '../src/digest.ts';
import { isInTree, leafHash, merkleTree } from '../src/merkle-tree.ts';
import { type SliceLeaf, sliceTree, verifySlice } from '../src/slice-tree.ts';

const leavesOf = (count: number): SliceLeaf[] =>
  Array.from({ length: count }, (_, at) => ({
    point: `point-${String(at).padStart(5, '0')}`,
    rulesDigest: digestOf(`rules ${at}`),
  }));

/** The definition of RFC 6962, section 2.1, word for word. */
function naiveRoot(leaves: readonly SliceLeaf[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return createHash('sha256').digest();
  if (leaves.length === 1)
    return createHash('sha256').update(Buffer.of(0)).update(`${only.point}\n${only.rulesDigest}`).digest();
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const node = createHash('sha256').update(Buffer.of(1));
  return node
    .update(naiveRoot(leaves.slice(0, split)))
    .update(naiveRoot(leaves.slice(split)))
    .digest();
}

t.test('roots are those that certificate transparency publishes', async (t) => {
  const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const hashes = inputs.map((hex) =>
    createHash('sha256').update(Buffer.of(0)).update(Buffer.from(hex, 'hex')).digest('hex'),
  );
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];
  roots.forEach((root, count) => {
    t.equal(merkleTree(hashes.slice(0, count)).root, root, `${count} leaves`);
  });
});

t.test('every leaf of every small tree is in it at its own place only', async (t) => {
  let wrong = 0;
  for (let count = 0; count <= 33; count += 1) {
    const leaves = leavesOf(count);
    const tree = sliceTree(leaves);
    t.equal(tree.root, naiveRoot(leaves).toString('hex'), `${count} leaves`);
    leaves.forEach((leaf, index) => {
      const path = tree.proof(index);
      if (!verifySlice(tree, { ...leaf, index, path })) wrong += 1;
      for (let other = -1; other <= count; other += 1)
        if (other !== index && verifySlice(tree, { ...leaf, index: other, path })) wrong += 1;
      for (const size of [count - 1, count + 1, count * 2])
        if (verifySlice({ root: tree.root, count: size }, { ...leaf, index, path }) && !fits(count, size, index))
          wrong += 1;
    });
  }
  t.equal(wrong, 0);
});

/** Two counts can give one leaf a way of the same shape; the signed count is what says which tree it is. */
function fits(count: number, size: number, index: number): boolean {
  return shape(count, index) === shape(size, index);
}

function shape(count: number, index: number): string {
  let text = '';
  for (let node = index, last = count - 1; last > 0; node = node >> 1, last = last >> 1)
    text += node === last && node % 2 === 0 ? '' : node % 2 === 1 ? 'L' : 'R';
  return text;
}

t.test('a slice is refused when anything about it is another', async (t) => {
  const leaves = leavesOf(13);
  const tree = sliceTree(leaves);
  const leaf = leaves[5] ?? { point: '', rulesDigest: '' };
  const path = tree.proof(5);
  const place = { ...leaf, index: 5, path };
  const node = digestOf('beside');
  t.ok(verifySlice(tree, place), 'the slice itself');
  const table = {
    'another point': { ...place, point: 'point-00006' },
    'no name': { ...place, point: 'point-00005\n' },
    'other rules': { ...place, rulesDigest: digestOf('other') },
    'a digest in capitals': { ...place, rulesDigest: leaf.rulesDigest.toUpperCase() },
    'a path that is too short': { ...place, path: path.slice(0, -1) },
    'a path that is too long': { ...place, path: [...path, node] },
    'no path': { ...place, path: [] },
    'a path turned round': { ...place, path: [...path].reverse() },
    'a path of something else': { ...place, path: path.map(() => 'x') },
    'a path in capitals': { ...place, path: path.map((it) => it.toUpperCase()) },
    'an endless path': { ...place, path: Array.from({ length: 100_000 }, () => node) },
    'a negative index': { ...place, index: -1 },
    'an index past the end': { ...place, index: 13 },
    'half an index': { ...place, index: 5.5 },
    'an index that wraps round 32 bits': { ...place, index: 5 + 2 ** 32 },
    'no number': { ...place, index: Number.NaN },
  };
  for (const [name, hostile] of Object.entries(table)) t.notOk(verifySlice(tree, hostile), name);
  for (const count of [0, -1, 0.5, 12.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
    t.notOk(verifySlice({ root: tree.root, count }, place), `a count of ${count}`);
});

t.test('a node is never taken for a leaf', async (t) => {
  const tree = merkleTree([leafHash('a'), leafHash('b'), leafHash('c'), leafHash('d')]);
  const [, above = ''] = tree.proof(0);
  const left = merkleTree([leafHash('a'), leafHash('b')]).root;
  t.ok(isInTree({ root: tree.root, count: 2 }, left, 0, [above]), 'hashes alone would say yes');
  t.notOk(isInTree(tree, left, 0, [above]), 'the signed count says no');
});

t.test('no slice is in an empty tree', async (t) => {
  const tree = sliceTree([]);
  t.equal(tree.root, digestOf(''));
  t.notOk(verifySlice(tree, { point: 'a', rulesDigest: digestOf(''), index: 0, path: [] }));
  t.throws(() => tree.proof(0), RangeError);
});

t.test('leaves out of order, twice, or without a name are a fault of the caller', async (t) => {
  const [a, b] = leavesOf(2);
  for (const leaves of [[b, a], [a, a], [{ ...a, point: 'a/b' }], [{ ...a, rulesDigest: '' }]])
    t.throws(() => sliceTree(leaves as SliceLeaf[]), RangeError);
});

t.test('5,000 points have a proof each', async (t) => {
  const leaves = leavesOf(5000);
  const tree = sliceTree(leaves);
  t.equal(tree.root, naiveRoot(leaves).toString('hex'));
  t.ok(leaves.every((leaf, index) => verifySlice(tree, { ...leaf, index, path: tree.proof(index) })));
});
