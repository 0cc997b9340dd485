/** What a process makes of what the one before it published, when the inventory or the limits changed in between. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { simpleGroup, simpleSlices } from '@edgeward/test/kit';
import t from 'tap';
import {
  addressOf,
  type Bench,
  gone,
  hop,
  openBench,
  slicesOfApps,
  slicesWithQuarantine,
  workload,
} from './publishing-kit.ts';

const crm = (count: number, from = 1) => Array.from({ length: count }, (_, i) => workload(from + i));
const apps = (counts: readonly number[]) =>
  counts.flatMap((count, app) => Array.from({ length: count }, (_, i) => workload(app * 100 + i, { app: `a-${app}` })));
const members = (bench: Bench, point: string): number | undefined => bench.publishing.point(point)?.state?.book.count;
const follower = (bench: Bench, point: string) => hop(() => bench.publishing, point, bench.world.root, bench.clock);

t.test('one workload too many holds back itself alone: the others of its point can be revoked', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(crm(5));
  const version = await bench.approve(simpleSlices(['edge-1'], { max: 5 }));
  await bench.everywhere(version);
  const edge = follower(bench, 'edge-1');
  await edge.follow();
  await bench.reopen();
  await bench.publishing.submitInventory(crm(6));
  await bench.everywhere(version);
  t.match(bench.publishing.status(), {
    inventory: {
      workloads: 5,
      waiting: { workloads: ['w-6'], fault: { state: 'refused', excesses: [{ point: 'edge-1', members: 6, max: 5 }] } },
    },
    refused: [],
    behind: 0,
    undelivered: 0,
  });
  t.equal(bench.publishing.point('edge-1')?.cursor.revision, 1, 'nothing new');
  await bench.publishing.submitInventory([workload(2, { app: 'ops' })]);
  t.equal(await edge.follow(), 'delta');
  t.notOk(edge.members(simpleGroup()).includes(addressOf(2)), 'revoked');
  t.ok(edge.members(simpleGroup()).includes(addressOf(6)), 'and there is room');
  t.equal(bench.publishing.status().inventory.waiting, null);
});

t.test('a version with room is what lets the waiting workload in', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(crm(5));
  await bench.everywhere(await bench.approve(simpleSlices(['edge-1'], { max: 5 })));
  const version = await bench.approve(simpleSlices(['edge-1'], { max: 5 }));
  await bench.everywhere(version);
  await bench.publishing.submitInventory([workload(6)]);
  t.equal(members(bench, 'edge-1'), 5);
  await bench.everywhere(await bench.approve(simpleSlices(['edge-1'], { max: 6 })));
  t.equal(members(bench, 'edge-1'), 6);
  t.equal(bench.publishing.status().inventory.waiting, null);
});

t.test('what waits for room keeps what it had elsewhere, until it is revoked', async (t) => {
  const bench = await openBench(t);
  const before = apps([2, 2]);
  await bench.publishing.submitInventory(before);
  const version = await bench.approve(slicesOfApps(2, 2));
  await bench.everywhere(version);
  await bench.reopen();
  await bench.publishing.submitInventory([...before, workload(0, { app: 'a-1' })]);
  await bench.everywhere(version);
  t.match(bench.publishing.status().inventory.waiting, { workloads: ['w-0'], fault: { state: 'refused' } });
  t.equal(members(bench, 'edge-0'), 2, 'it is what it was');
  t.equal(bench.publishing.status().behind, 1, 'and shown as not what it should be');
  await bench.publishing.submitInventory([gone(0)]);
  t.equal(members(bench, 'edge-0'), 1);
  t.match(bench.publishing.status(), { inventory: { waiting: null }, behind: 0 });
});

t.test('a point whose newer version has no room goes on with the one in its head', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(crm(10));
  await bench.everywhere(await bench.approve(simpleSlices(['edge-1'])));
  const narrow = await bench.approve(simpleSlices(['edge-1'], { max: 5 }));
  await bench.everywhere(narrow);
  t.equal(bench.publishing.status().behind, 1);
  await bench.reopen();
  await bench.publishing.submitInventory(crm(10));
  await bench.everywhere(narrow);
  t.match(bench.publishing.status(), { refused: [{ members: 10, max: 5 }], behind: 1, undelivered: 0 });
  t.equal(bench.publishing.point('edge-1')?.state?.version, 1);
  await bench.publishing.submitInventory([gone(1)]);
  t.equal(members(bench, 'edge-1'), 9, 'revoked');
  await bench.publishing.submitInventory([2, 3, 4, 5].map(gone));
  t.equal(bench.publishing.point('edge-1')?.state?.version, 2);
  t.equal(bench.publishing.status().behind, 0);
});

t.test('what one object lost while the store was away holds that object, and nothing else', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(apps([10, 5]));
  const version = await bench.approve(slicesOfApps(2));
  await bench.everywhere(version);
  const edge = follower(bench, 'edge-0');
  await edge.follow();
  await bench.reopen();
  await bench.publishing.submitInventory(apps([4, 5]));
  await bench.everywhere(version);
  const { waiting } = bench.publishing.status().inventory;
  t.match(waiting, { fault: { state: 'held', losses: [{ object: 'front-0', before: 10, lost: 6 }] } });
  t.equal(members(bench, 'edge-0'), 10);
  await bench.publishing.submitInventory([gone(100)]);
  t.equal(members(bench, 'edge-1'), 4, 'a revocation elsewhere');
  await bench.publishing.submitInventory([gone(0), workload(50, { app: 'a-0' })]);
  t.equal(members(bench, 'edge-0'), 10, 'one revoked and one new here');
  t.equal(await edge.follow(), 'delta');
  await bench.everywhere(await bench.approve(slicesOfApps(2, 500)));
  t.equal(bench.publishing.point('edge-0')?.state?.version, 2, 'a version that people approved');
  t.equal(members(bench, 'edge-0'), 10, 'with what is held');
  await t.rejects(bench.publishing.accept((waiting?.revision ?? 0) + 9), { code: 'EDW_ERR_HELD_OTHER' });
  await bench.publishing.accept(waiting?.revision ?? 0);
  t.equal(members(bench, 'edge-0'), 4);
  t.equal(await edge.follow(), 'delta');
  t.match(bench.publishing.status(), { inventory: { waiting: null }, behind: 0 });
});

t.test('what is held after a start is let go of when it is back, and held again by the next process', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(apps([10]));
  const version = await bench.approve(slicesOfApps(1));
  await bench.everywhere(version);
  for (let start = 0; start < 2; start += 1) {
    await bench.reopen();
    await bench.publishing.submitInventory([]);
    await bench.everywhere(version);
    t.equal(members(bench, 'edge-0'), 10);
    t.equal(bench.publishing.status().behind, 1);
  }
  const number = bench.publishing.status().inventory.waiting?.revision;
  await bench.publishing.submitInventory(apps([3]));
  t.equal(bench.publishing.status().inventory.waiting?.revision, number, 'less is lost: who looked at it may accept');
  await bench.publishing.submitInventory(apps([6]));
  t.equal(members(bench, 'edge-0'), 6);
  t.match(bench.publishing.status(), { inventory: { waiting: null }, behind: 0 });
});

t.test('what is kept leaves a group within its limit', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(apps([10]));
  const version = await bench.approve(slicesOfApps(1, 10));
  await bench.everywhere(version);
  const edge = follower(bench, 'edge-0');
  await edge.follow();
  await bench.reopen();
  const others = Array.from({ length: 8 }, (_, i) => workload(50 + i, { app: 'a-0' }));
  await bench.publishing.submitInventory([...apps([2]), ...others]);
  await bench.everywhere(version);
  t.equal(await edge.follow(), 'unchanged', 'no room for the new ones beside those that are held');
  await bench.publishing.accept(bench.publishing.status().inventory.waiting?.revision ?? 0);
  t.equal(await edge.follow(), 'delta');
  t.ok(edge.state?.book.members([...edge.state.book.groups()][0] ?? '').includes(addressOf(57)));
});

t.test('who a deny rule cuts off while the store is away is not cut off by itself', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(crm(10));
  const version = await bench.approve(slicesWithQuarantine());
  await bench.everywhere(version);
  await bench.reopen();
  const marked = Array.from({ length: 10 }, (_, i) => workload(i + 1, { app: 'crm', quarantine: 'yes' }));
  await bench.publishing.submitInventory(marked);
  await bench.everywhere(version);
  const { waiting } = bench.publishing.status().inventory;
  t.match(waiting, { fault: { state: 'held', losses: [{ before: 10, lost: 10 }] } });
  t.equal(members(bench, 'edge-1'), 10);
  await bench.publishing.submitInventory([workload(11, { app: 'crm', quarantine: 'yes' })]);
  t.equal(members(bench, 'edge-1'), 12, 'one more is denied at once');
  await bench.publishing.accept(waiting?.revision ?? 0);
  t.equal(members(bench, 'edge-1'), 22);
});

t.test('pages that are lost leave nothing to compare with, and a group is filled up to its limit', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(crm(5));
  const version = await bench.approve(simpleSlices(['edge-1'], { max: 5 }));
  await bench.everywhere(version);
  await bench.publishing.close();
  rmSync(join(bench.dir, 'mirror/blobs/sha256', bench.publishing.point('edge-1')?.head.members.digest ?? ''));
  await bench.reopen();
  await bench.publishing.submitInventory(crm(7));
  await bench.everywhere(version);
  t.equal(members(bench, 'edge-1'), 5);
  t.match(bench.publishing.status().inventory.waiting, { workloads: ['w-6', 'w-7'] });
});
