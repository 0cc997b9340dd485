import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '@edgeward/policy-format';
import { simpleGroup, simpleSlices } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { addressOf, type Bench, gone, hop, openBench, slicesOfApps, workload } from './publishing-kit.ts';
import { until } from './serving-kit.ts';

const heads = (bench: Bench): Record<string, number> =>
  Object.fromEntries([...bench.publishing.points()].map(({ point, cursor }) => [point, cursor.revision]));

const follower = (bench: Bench, point: string) => hop(() => bench.publishing, point, bench.world.root, bench.clock);

async function simple(t: Test, count = 10, options = {}): Promise<Bench> {
  const bench = await openBench(t, options);
  await bench.publishing.submitInventory(Array.from({ length: count }, (_, i) => workload(i + 1)));
  await bench.everywhere(await bench.approve(simpleSlices()));
  return bench;
}

t.test('a point believes what is published for it, and follows by deltas', async (t) => {
  const bench = await simple(t);
  const edge = follower(bench, 'edge-1');
  const group = simpleGroup();
  t.equal(await edge.follow(), 'head');
  t.equal(edge.members(group).length, 10);
  t.equal(await edge.follow(), 'unchanged');
  await bench.publishing.submitInventory([workload(11), gone(3)]);
  t.equal(await edge.follow(), 'delta');
  t.ok(edge.members(group).includes(addressOf(11)));
  t.notOk(edge.members(group).includes(addressOf(3)));
  for (let i = 20; i < 40; i += 1) await bench.publishing.submitInventory([workload(i), gone(i - 1)]);
  t.equal(await edge.follow(), 'delta', 'over twenty revisions at once');
  t.equal(edge.members(group).length, 11);
  const next = await bench.approve(simpleSlices(['edge-1', 'edge-2'], { id: 'crm-2' }));
  await bench.everywhere(next);
  t.equal(await edge.follow(), 'delta', 'over a new version of the rules');
  t.equal(edge.state?.rules.rules[0]?.id, 'crm-2');
});

t.test('a change of one workload touches the points that name a group of it, and no other', async (t) => {
  const bench = await openBench(t);
  const apps = 40;
  const edits = Array.from({ length: 400 }, (_, i) => workload(i, { app: `a-${i % apps}` }));
  await bench.publishing.submitInventory(edits);
  await bench.everywhere(await bench.approve(slicesOfApps(apps)));
  t.strictSame(bench.compiled.at(-1), { points: apps, published: apps });
  await until('what was served is in the mirror', () => bench.publishing.status().unwritten === 0);
  const before = heads(bench);
  const written = filesOf(bench);
  bench.compiled.length = 0;
  await bench.publishing.submitInventory([workload(1_000, { app: 'a-7' })]);
  t.strictSame(bench.compiled, [{ points: 1, published: 1 }]);
  t.strictSame(heads(bench), { ...before, 'edge-7': 2 });
  t.equal(filesOf(bench).blobs.length - written.blobs.length, 2, 'a page and its index');
  bench.compiled.length = 0;
  await bench.publishing.submitInventory([workload(1_001, { app: 'nobody' }), workload(1_000, { app: 'a-7' })]);
  t.strictSame(bench.compiled, [{ points: 0, published: 0 }]);
  await bench.publishing.submitInventory([workload(1_000, { app: 'a-8' })]);
  t.strictSame(heads(bench), { ...before, 'edge-7': 3, 'edge-8': 3 }, 'one revision for both');
});

t.test('time alone publishes nothing new; a head is renewed at half its life, with its number', async (t) => {
  const bench = await simple(t);
  const edge = follower(bench, 'edge-1');
  await edge.follow();
  const first = bench.publishing.point('edge-1');
  bench.clock.pass(9 * 3_600_000);
  await bench.publishing.submitInventory([]);
  t.equal(bench.publishing.point('edge-1')?.digest, first?.digest);
  bench.clock.pass(6 * 3_600_000);
  await bench.publishing.submitInventory([]);
  const second = bench.publishing.point('edge-1');
  t.not(second?.digest, first?.digest);
  t.strictSame(second?.cursor, first?.cursor);
  t.ok((second?.head.issuedAt ?? '') > (first?.head.issuedAt ?? ''));
  t.equal(await edge.follow(), 'head');
  t.equal(edge.state?.head.expiresAt, second?.head.expiresAt);
});

t.test('after a restart unchanged heads are kept, and a number is never given twice', async (t) => {
  const bench = await simple(t);
  const edge = follower(bench, 'edge-1');
  await edge.follow();
  await bench.publishing.submitInventory([workload(11)]);
  await edge.follow();
  const kept = bench.publishing.point('edge-1')?.digest;
  const version = await bench.approve(simpleSlices());
  const again = async (): Promise<void> => {
    const all = Array.from({ length: 11 }, (_, i) => workload(i + 1));
    await bench.reopen();
    t.equal(bench.publishing.point('edge-1')?.digest, kept, 'served before anything is known');
    await bench.publishing.submitInventory(all);
  };
  await again();
  await bench.everywhere(version);
  t.equal(bench.publishing.point('edge-1')?.cursor.revision, 3, 'a new version is a new head');
  t.equal(await edge.follow(), 'delta', 'also from what the process before published');
  await bench.reopen();
  await bench.publishing.submitInventory(Array.from({ length: 12 }, (_, i) => workload(i + 1)));
  await bench.everywhere(version);
  t.equal(bench.publishing.point('edge-1')?.cursor.revision, 4);
  t.equal(await edge.follow(), 'delta');
  await bench.reopen();
  await bench.publishing.submitInventory(Array.from({ length: 12 }, (_, i) => workload(i + 1)));
  await bench.everywhere(version);
  t.equal(await edge.follow(), 'unchanged');
});

t.test('what a crash of the machine damaged is written again', async (t) => {
  const bench = await simple(t);
  const version = await bench.approve(simpleSlices());
  await bench.everywhere(version);
  const before = bench.publishing.point('edge-1');
  await bench.publishing.close();
  const mirror = join(bench.dir, 'mirror');
  for (const blob of readdirSync(join(mirror, 'blobs/sha256'))) writeFileSync(join(mirror, 'blobs/sha256', blob), '');
  writeFileSync(join(mirror, 'heads/edge-2.json'), '{"half":');
  await bench.reopen();
  await bench.publishing.submitInventory(Array.from({ length: 10 }, (_, i) => workload(i + 1)));
  await bench.everywhere(version);
  t.equal(bench.publishing.point('edge-1')?.digest, before?.digest);
  t.ok((bench.publishing.point('edge-2')?.cursor.revision ?? 0) > (before?.cursor.revision ?? 0));
  for (const point of ['edge-1', 'edge-2']) t.equal(await follower(bench, point).follow(), 'head', point);
});

t.test(
  'where blobs can not be written, points are served from memory and no mirror tells them older things',
  async (t) => {
    const bench = await simple(t, 10);
    const edge = follower(bench, 'edge-1');
    await edge.follow();
    const { mend } = breakFolder(join(bench.dir, 'mirror/blobs/sha256'));
    await bench.publishing.submitInventory([gone(1)]);
    t.match(bench.publishing.status(), { unwritten: 2, behind: 0 });
    t.strictSame(readdirSync(join(bench.dir, 'mirror/heads')), [], 'no copy is older than what is served');
    t.equal(await edge.follow(), 'delta');
    await t.rejects(follower(bench, 'edge-2').follow(), 'the rest is away');
    mend();
    bench.clock.pass(60_000);
    await bench.publishing.submitInventory([]);
    t.equal(bench.publishing.status().unwritten, 0);
    t.equal(readdirSync(join(bench.dir, 'mirror/heads')).length, 2);
    t.equal(await follower(bench, 'edge-2').follow(), 'head');
  },
);

t.test('where not even an older head can be taken away, it stays in force until it can be replaced', async (t) => {
  const bench = await simple(t, 10);
  const edge = follower(bench, 'edge-1');
  await edge.follow();
  const before = heads(bench);
  const { mend } = breakFolder(join(bench.dir, 'mirror/heads'));
  await bench.publishing.submitInventory([gone(1)]);
  await bench.publishing.submitInventory([gone(2)]);
  t.equal(bench.publishing.status().behind, 2);
  t.strictSame(heads(bench), before);
  mend();
  await bench.publishing.submitInventory([gone(3)]);
  t.equal(bench.publishing.status().behind, 0);
  t.equal(await edge.follow(), 'delta', 'everything that was missed, at once');
  t.equal(edge.members(simpleGroup()).length, 7);
});

t.test('where no number can be had, nothing is published, and everything once there is one', async (t) => {
  const bench = await simple(t, 200);
  const edge = follower(bench, 'edge-1');
  await edge.follow();
  const file = join(bench.dir, 'revision');
  rmSync(file);
  mkdirSync(join(file, 'in-the-way'), { recursive: true });
  let late = 0;
  for (let i = 1; i <= 70; i += 1) {
    await bench.publishing.submitInventory([gone(i)]);
    late += bench.publishing.status().behind === 0 ? 0 : 1;
  }
  t.ok(late > 0 && late < 20, 'a block of numbers was at hand');
  t.equal(bench.publishing.status().behind, 2);
  rmSync(file, { recursive: true });
  bench.clock.pass(5_000);
  await bench.publishing.submitInventory([]);
  t.equal(bench.publishing.status().behind, 0);
  await edge.follow();
  t.equal(edge.members(simpleGroup()).length, 130);
});

t.test('a version that could not be given out is given out later, though nobody says it again', async (t) => {
  const bench = await simple(t, 100);
  const next = await bench.approve(simpleSlices());
  for (let i = 1; i <= 63; i += 1) await bench.publishing.submitInventory([gone(i)]);
  const file = join(bench.dir, 'revision');
  rmSync(file);
  mkdirSync(join(file, 'in-the-way'), { recursive: true });
  await t.rejects(bench.everywhere(next));
  await bench.everywhere(next).catch(() => {});
  t.match(bench.publishing.status(), { behind: 2, undelivered: 2 });
  rmSync(file, { recursive: true });
  bench.clock.pass(5_000);
  await bench.publishing.submitInventory([]);
  t.equal(bench.publishing.point('edge-1')?.state?.version, next.version);
  t.match(bench.publishing.status(), { behind: 0, undelivered: 0 });
});

t.test('a lost or cut number of revisions is never taken for none', async (t) => {
  const bench = await simple(t);
  await bench.publishing.close();
  const file = join(bench.dir, 'revision');
  t.equal(readFileSync(file, 'utf8'), '1\n');
  writeFileSync(file, '1');
  await t.rejects(bench.reopen(), { code: 'EDW_ERR_STORE_REVISION' });
  rmSync(file);
  await bench.reopen();
  t.equal(bench.publishing.status().revision, 1, 'the heads prove it');
});

t.test('a point gets what its own heads name, and nothing else', async (t) => {
  const bench = await openBench(t, { keepBlobsMs: 60_000 });
  await bench.publishing.submitInventory([0, 1, 2, 3].map((i) => workload(i, { app: `a-${i % 2}` })));
  await bench.everywhere(await bench.approve(slicesOfApps(2)));
  const own = bench.publishing.point('edge-0')?.blobs ?? [];
  t.equal(own.length, 4, 'rules, approval, index, page');
  for (const digest of own) {
    t.ok(await bench.publishing.blob(digest, ['edge-0']));
    t.equal(await bench.publishing.blob(digest, ['edge-1', 'edge-9']), null);
    t.equal(await bench.publishing.blob(digest, []), null);
  }
  await bench.publishing.submitInventory([workload(9, { app: 'a-0' })]);
  const page = own.find((digest) => !bench.publishing.point('edge-0')?.blobs.includes(digest)) ?? '';
  t.ok(await bench.publishing.blob(page, ['edge-0']), 'whoever fetches a snapshot gets it whole');
  bench.clock.pass(3_600_000);
  await bench.publishing.submitInventory([]);
  t.equal(await bench.publishing.blob(page, ['edge-0']), null);
});

t.test('a batch that puts too many into a group is refused whole, and the rest goes on', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory([1, 2, 3, 4, 5].map((i) => workload(i)));
  await bench.everywhere(await bench.approve(simpleSlices(['edge-1'], { max: 6 })));
  const members = (): readonly string[] | undefined =>
    bench.publishing.point('edge-1')?.state?.book.members(simpleGroup());
  const refused = await bench.publishing.submitInventory([workload(6), workload(7), gone(1), workload(8)]);
  t.match(refused, {
    workloads: 5,
    waiting: { fault: { state: 'refused', excesses: [{ point: 'edge-1', members: 7, max: 6 }] } },
  });
  t.strictSame(members(), [1, 2, 3, 4, 5].map(addressOf));
  await t.rejects(bench.publishing.accept(refused.waiting?.revision ?? 0), { code: 'EDW_ERR_NOTHING_HELD' });
  t.match(await bench.publishing.submitInventory([gone(2)]), { workloads: 6, waiting: null }, 'now there is room');
  t.strictSame(members(), [3, 4, 5, 6, 7, 8].map(addressOf));
  await bench.publishing.submitInventory([workload(9)]);
  const mixed = await bench.publishing.submitInventory([gone(3), workload(10)]);
  t.match(mixed, { waiting: { workloads: ['w-9'] } }, 'what is good by itself is in force');
  t.strictSame(members()?.length, 6);
});

t.test('what takes more than half of an object through several workloads waits for a person', async (t) => {
  const bench = await simple(t, 10);
  const members = (): number => bench.publishing.point('edge-1')?.state?.book.count ?? 0;
  const half = await bench.publishing.submitInventory([1, 2, 3, 4, 5].map(gone));
  t.match(half, { waiting: null }, 'exactly half');
  const status = await bench.publishing.submitInventory([6, 7, 8].map(gone));
  t.match(status.waiting, { fault: { state: 'held', losses: [{ object: 'front-edge-1', before: 5, lost: 3 }] } });
  t.equal(members(), 5);
  const passed = await bench.publishing.submitInventory([gone(9)]);
  t.equal(members(), 4, 'a single removal passes what is held');
  t.equal(passed.waiting?.revision, status.waiting?.revision, 'and what was looked at keeps its number');
  const held = status.waiting?.revision ?? 0;
  await t.rejects(bench.publishing.accept(held + 1), { code: 'EDW_ERR_HELD_OTHER' });
  await bench.publishing.accept(held);
  t.equal(members(), 1);
  await t.rejects(bench.publishing.accept(held), { code: 'EDW_ERR_NOTHING_HELD' });
  await bench.publishing.submitInventory([gone(10)]);
  t.equal(members(), 0, 'one workload, and all that there was');
});

t.test('an inventory that was emptied while the store was away empties no group by itself', async (t) => {
  const bench = await simple(t, 10);
  const version = await bench.approve(simpleSlices());
  await bench.everywhere(version);
  const before = bench.publishing.point('edge-1')?.digest;
  await bench.reopen();
  const status = await bench.publishing.submitInventory([]);
  t.equal(status.waiting, null, 'the versions are not known yet');
  await bench.everywhere(version);
  t.match(bench.publishing.status().inventory.waiting, {
    fault: { state: 'held', losses: [{ lost: 10 }, { lost: 10 }] },
  });
  t.equal(bench.publishing.point('edge-1')?.digest, before);
  await bench.publishing.submitInventory(Array.from({ length: 9 }, (_, i) => workload(i + 1)));
  t.match(bench.publishing.status().inventory, { waiting: null, workloads: 9 });
  t.equal(bench.publishing.point('edge-1')?.state?.book.count, 9);
  await bench.reopen();
  await bench.publishing.submitInventory([]);
  await bench.everywhere(version);
  await bench.publishing.accept(bench.publishing.status().inventory.waiting?.revision ?? 0);
  t.equal(bench.publishing.point('edge-1')?.state?.book.count, 0);
});

t.test('a point keeps its version while a group has too many members for the next one', async (t) => {
  const bench = await simple(t, 10);
  const narrow = await bench.approve(simpleSlices(['edge-1', 'edge-2'], { max: 9 }));
  await bench.everywhere(narrow);
  t.match(bench.publishing.status().refused, [{ point: 'edge-1', members: 10, max: 9 }, { point: 'edge-2' }]);
  t.equal(bench.publishing.point('edge-1')?.state?.version, 1);
  await bench.publishing.submitInventory([gone(1)]);
  t.equal(bench.publishing.point('edge-1')?.state?.version, 2);
  t.strictSame(bench.publishing.status().refused, []);
});

t.test('a wave costs the points that it moves, and no other', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory([0, 1, 2].map((i) => workload(i, { app: `a-${i}` })));
  const [one, two] = [await bench.approve(slicesOfApps(3)), await bench.approve(slicesOfApps(3, 500))];
  await bench.everywhere(one);
  const before = heads(bench);
  bench.compiled.length = 0;
  const wave = ['edge-0', 'edge-1', 'edge-2'].map(
    (point, i) => [point, { version: i === 1 ? two : one, base: null }] as const,
  );
  await bench.publishing.setVersions(new Map(wave));
  t.strictSame(bench.compiled, [{ points: 1, published: 1 }]);
  t.strictSame(heads(bench), { ...before, 'edge-1': 2 });
});

t.test('points may have different versions, and one that is in none is gone', async (t) => {
  const bench = await simple(t, 3);
  const [one, two] = [await bench.approve(simpleSlices()), await bench.approve(simpleSlices())];
  const versions = new Map([
    ['edge-1', { version: two, base: null }],
    ['edge-2', { version: one, base: null }],
  ]);
  await bench.publishing.setVersions(versions);
  t.equal(bench.publishing.point('edge-1')?.state?.version, 3);
  t.equal(bench.publishing.point('edge-2')?.state?.version, 2);
  versions.delete('edge-2');
  await bench.publishing.setVersions(versions);
  t.equal(bench.publishing.point('edge-2'), null);
  t.strictSame(readdirSync(join(bench.dir, 'mirror/heads')), ['edge-1.json']);
});

t.test('a break-glass version carries the one before it', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory([workload(1), workload(2, { app: 'ops' })]);
  const full = await bench.approve(simpleSlices(['edge-1']));
  await bench.everywhere(full);
  const edge = follower(bench, 'edge-1');
  await edge.follow();
  const glass = await bench.approve(simpleSlices(['edge-1'], { id: 'emergency' }), { breakGlassMs: 3_600_000 });
  await bench.everywhere(glass, full);
  t.equal(await edge.follow(), 'delta');
  t.equal(edge.state?.base?.rules.rules[0]?.id, 'crm');
  t.ok(edge.state?.head.requires.includes('break-glass'));
});

t.test('another trust root or store key signs the same state anew; another epoch is a new one', async (t) => {
  const bench = await simple(t, 3);
  const edge = follower(bench, 'edge-1');
  await edge.follow();
  const before = bench.publishing.point('edge-1');
  const { world } = bench;
  const rooted = await world.changeRoot((root) => root);
  const older = [{ version: 1, document: world.pinned }];
  await bench.publishing.setTrust({ root: world.root, document: rooted, storeKey: world.keys.store }, older);
  t.strictSame(bench.publishing.point('edge-1')?.cursor, before?.cursor);
  t.equal(await edge.follow(), 'head');
  t.equal(edge.root.version, 2);
  const raised = await world.changeRoot((root) => ({ ...root, epoch: root.epoch + 1 }));
  await bench.publishing.setTrust({ root: world.root, document: raised, storeKey: world.keys.store }, older);
  t.equal(
    bench.publishing.news('edge-1', before?.cursor ?? { epoch: 1, revision: 1, stateRoot: '' }).state,
    'other-epoch',
  );
  t.equal(await edge.follow(), 'head');
  t.equal(edge.floor?.epoch, 2);
  t.strictSame(readdirSync(join(bench.dir, 'mirror/roots')).sort(), ['1.json', '2.json', '3.json']);
});

t.test('who waits for a point is woken by its news, at its own end, and when it leaves', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory([0, 1, 2, 3].map((i) => workload(i, { app: `a-${i % 2}` })));
  await bench.everywhere(await bench.approve(slicesOfApps(2)));
  const leaving = new AbortController();
  const woken: string[] = [];
  const wait = (name: string, point: string, ms: number, signal = new AbortController().signal): Promise<number> =>
    bench.publishing.wait([point], ms, signal).then(() => woken.push(name));
  const news = wait('news', 'edge-0', 30_000);
  const end = wait('end', 'edge-1', 1_000);
  const left = wait('left', 'edge-1', 30_000, leaving.signal);
  t.equal(bench.publishing.status().waiting, 3);
  await bench.publishing.submitInventory([workload(9, { app: 'a-0' })]);
  await news;
  t.equal(bench.publishing.status().waiting, 2, 'news of one point is no news of another');
  bench.clock.pass(1_000);
  await end;
  leaving.abort();
  await left;
  t.strictSame(woken, ['news', 'end', 'left']);
  t.equal(bench.publishing.status().waiting, 0);
  await wait('at once', 'edge-0', 30_000, AbortSignal.abort());
});

t.test('a delta longer than its own history, or from elsewhere, is a snapshot', async (t) => {
  const bench = await simple(t, 10, { historySteps: 3 });
  const from = bench.publishing.point('edge-1')?.cursor;
  if (from === undefined) throw new Error('nothing was published');
  const states: string[] = [];
  for (let i = 0; i < 4; i += 1) {
    await bench.publishing.submitInventory([workload(50 + i)]);
    states.push(bench.publishing.news('edge-1', from).state);
  }
  t.strictSame(states, ['delta', 'delta', 'delta', 'snapshot']);
  const newest = bench.publishing.point('edge-1')?.cursor ?? from;
  t.equal(bench.publishing.news('edge-1', newest).state, 'unchanged');
  t.equal(bench.publishing.news('edge-1', { ...newest, revision: newest.revision + 7 }).state, 'snapshot', 'ahead');
  t.equal(bench.publishing.news('edge-1', { ...newest, stateRoot: '0'.repeat(64) }).state, 'snapshot');
  t.equal(bench.publishing.news('edge-9', newest).state, 'none');
  t.ok(LIMITS.deltaBytes > 0);
});

/** A file in place of a folder: root can't write there either. */
function breakFolder(folder: string): { mend: () => void } {
  renameSync(folder, `${folder}.away`);
  writeFileSync(folder, '');
  return {
    mend() {
      rmSync(folder);
      renameSync(`${folder}.away`, folder);
    },
  };
}

function filesOf(bench: Bench): { blobs: string[] } {
  return { blobs: readdirSync(join(bench.dir, 'mirror/blobs/sha256')) };
}
