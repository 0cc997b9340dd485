/** Numbers that a point brought along from before this store, and what whoever lies about them can do. */
import { LIMITS } from '@edgeward/policy-format';
import { simpleGroup, simpleSlices } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { addressOf, type Bench, hop, openBench, workload } from './publishing-kit.ts';

const heads = (bench: Bench): Record<string, number> =>
  Object.fromEntries([...bench.publishing.points()].map(({ point, cursor }) => [point, cursor.revision]));

async function simple(t: Test): Promise<Bench> {
  const bench = await openBench(t);
  await bench.publishing.submitInventory([workload(1), workload(2), workload(3)]);
  await bench.everywhere(await bench.approve(simpleSlices()));
  return bench;
}

t.test(
  'a point that holds a newer revision gets the same state under a number above it, and no other does',
  async (t) => {
    const bench = await simple(t);
    const edge = hop(() => bench.publishing, 'edge-1', bench.world.root, bench.clock);
    await edge.follow();
    t.strictSame(heads(bench), { 'edge-1': 1, 'edge-2': 1 });
    await bench.publishing.foundRevision('edge-1', 41);
    t.strictSame(heads(bench), { 'edge-1': 42, 'edge-2': 1 });
    await edge.follow();
    t.equal(edge.state?.head.revision, 42);
    t.equal(edge.members(simpleGroup()).length, 3);
    await bench.publishing.submitInventory([workload(4)]);
    t.strictSame(heads(bench), { 'edge-1': 43, 'edge-2': 43 }, 'and the numbers go on from there');
    t.equal(await edge.follow(), 'delta');
    t.ok(edge.members(simpleGroup()).includes(addressOf(4)));
  },
);

t.test('said again, or of what it was given, or of a point that there is not, it changes nothing', async (t) => {
  const bench = await simple(t);
  await bench.publishing.foundRevision('edge-1', 41);
  for (const [point, revision] of [
    ['edge-1', 41],
    ['edge-1', 42],
    ['edge-1', 0],
    ['edge-9', 99],
  ] as const)
    await bench.publishing.foundRevision(point, revision);
  t.strictSame(heads(bench), { 'edge-1': 42, 'edge-2': 1 });
});

t.test('the number outlives the process', async (t) => {
  const bench = await simple(t);
  await bench.publishing.foundRevision('edge-1', 41);
  await bench.reopen();
  t.strictSame(heads(bench), { 'edge-1': 42, 'edge-2': 1 });
  // Before anything is known of the point, its state can't be given anew.
  await bench.publishing.foundRevision('edge-1', 60);
  t.strictSame(heads(bench), { 'edge-1': 42, 'edge-2': 1 });
});

t.test('a lie about one point takes no other point further than it can follow', async (t) => {
  const bench = await simple(t);
  const other = hop(() => bench.publishing, 'edge-2', bench.world.root, bench.clock);
  await other.follow();
  const lies = [1e6, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 33, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER];
  for (const lie of lies) await bench.publishing.foundRevision('edge-1', lie);
  await bench.publishing.foundRevision('edge-1', (heads(bench)['edge-1'] ?? 0) + 2 ** 31);
  t.equal(heads(bench)['edge-1'], 2 ** 31);
  await bench.publishing.submitInventory([workload(4)]);
  t.equal(await other.follow(), 'delta', 'edge-2 was away all the time');
  t.ok((heads(bench)['edge-2'] ?? 0) < LIMITS.revisionsAtOnce);
});

t.test('what a stolen key drove up is numbered above when people begin a new epoch, and not before', async (t) => {
  const bench = await simple(t);
  const [edge, other] = ['edge-1', 'edge-2'].map((point) =>
    hop(() => bench.publishing, point, bench.world.root, bench.clock),
  );
  await edge?.follow();
  await other?.follow();
  await bench.publishing.foundRevision('edge-1', 2 ** 33 + 7);
  await bench.publishing.foundRevision('edge-2', Number.MAX_SAFE_INTEGER);
  t.strictSame(heads(bench), { 'edge-1': 1, 'edge-2': 1 });
  const document = await bench.world.changeRoot((root) => ({ ...root, epoch: root.epoch + 1 }));
  await bench.publishing.setTrust({ root: bench.world.root, document, storeKey: bench.world.keys.store }, []);
  t.strictSame(
    heads(bench),
    { 'edge-1': 2 ** 33 + 8, 'edge-2': 2 ** 33 + 8 },
    'no number is taken that leaves too few',
  );
  await edge?.follow();
  await other?.follow();
  t.equal(other?.state?.head.revision, 2 ** 33 + 8, 'in a new epoch every point takes any number');
  await bench.reopen();
  await bench.publishing.submitInventory([workload(1), workload(2), workload(3), workload(4)]);
  await bench.everywhere(await bench.approve(simpleSlices()));
  t.ok((heads(bench)['edge-1'] ?? 0) > 2 ** 33 + 8, 'and they go on from there, also in another process');
});
