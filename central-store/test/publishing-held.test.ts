/** What waits of the inventory: what is held, what is refused, and what passes both. */
import { simpleGroup, simpleSlices } from '@edgeward/test/kit';
import t from 'tap';
import { createMembership, type Membership } from '../src/index.ts';
import { createInventoryDesk } from '../src/publishing/inventory-desk.ts';
import { createOutlines } from '../src/publishing/rules-outline.ts';
import { type Bench, gone, openBench, slicesOfApps, slicesWithQuarantine, workload } from './publishing-kit.ts';
import { crms, openServedStore, shopBundle } from './serving-kit.ts';

const members = (bench: Bench, point = 'edge-1'): number | undefined =>
  bench.publishing.point(point)?.state?.book.count;

t.test('whom a deny rule cuts off is lost to the object, as who left its groups', async (t) => {
  const cases: { name: string; edits: number; held: boolean }[] = [
    { name: 'one', edits: 1, held: false },
    { name: 'half', edits: 5, held: false },
    { name: 'more than half', edits: 6, held: true },
    { name: 'all', edits: 10, held: true },
  ];
  for (const { name, edits, held } of cases) {
    const bench = await openBench(t);
    await bench.publishing.submitInventory(Array.from({ length: 10 }, (_, i) => workload(i + 1)));
    await bench.everywhere(await bench.approve(slicesWithQuarantine()));
    const marked = Array.from({ length: edits }, (_, i) => workload(i + 1, { app: 'crm', quarantine: 'yes' }));
    const { waiting } = await bench.publishing.submitInventory(marked);
    t.equal(waiting?.fault.state, held ? 'held' : undefined, name);
    t.equal(members(bench), held ? 10 : 10 + edits, name);
    if (!held) continue;
    t.match(waiting?.fault, { losses: [{ object: 'front', before: 10, lost: edits, workloads: edits }] }, name);
    await bench.publishing.accept(waiting?.revision ?? 0);
    t.equal(members(bench), 10 + edits, `${name}, accepted`);
    const other = marked.map(({ name }) => ({
      name,
      is: workload(Number(name.slice(2)), { app: 'crm', quarantine: 'other' }).is,
    }));
    t.equal((await bench.publishing.submitInventory(other)).waiting, null, 'who was denied before loses nothing');
  }
});

t.test('strangers to an object may be denied in any number, and a deny rule let go of', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory(Array.from({ length: 4 }, (_, i) => workload(i + 1)));
  await bench.everywhere(await bench.approve(slicesWithQuarantine()));
  const strangers = Array.from({ length: 30 }, (_, i) => workload(50 + i, { app: 'x', quarantine: 'yes' }));
  t.equal((await bench.publishing.submitInventory(strangers)).waiting, null);
  t.equal(members(bench), 34);
  t.equal((await bench.publishing.submitInventory(strangers.map(({ name }) => ({ name, is: null })))).waiting, null);
  t.equal(members(bench), 4);
});

t.test('what is held can be accepted whatever is refused beside it, and the other way round', async (t) => {
  const bench = await openBench(t);
  const rows = (app: number, count: number) =>
    Array.from({ length: count }, (_, i) => workload(app * 100 + i, { app: `a-${app}` }));
  await bench.publishing.submitInventory([...rows(0, 10), ...rows(1, 3)]);
  await bench.everywhere(await bench.approve(slicesOfApps(2, 10)));
  const held = await bench.publishing.submitInventory([1, 2, 3, 4, 5, 6, 7].map(gone));
  const revision = held.waiting?.revision ?? 0;
  const both = await bench.publishing.submitInventory(rows(1, 11));
  t.match(both, { waiting: { revision, fault: { state: 'held' } }, alsoWaiting: [{ fault: { state: 'refused' } }] });
  await t.rejects(bench.publishing.accept(both.alsoWaiting?.[0]?.revision ?? 0), { code: 'EDW_ERR_HELD_OTHER' });
  await bench.publishing.accept(revision);
  t.equal(members(bench, 'edge-0'), 3);
  t.match(bench.publishing.status().inventory, { waiting: { fault: { state: 'refused' } } });
  t.match(await bench.publishing.submitInventory([gone(110), gone(100)]), { waiting: null });
  t.equal(members(bench, 'edge-1'), 9, 'with room, by itself');
});

t.test('what is held and has no room by now is refused instead, and not accepted', async (t) => {
  const bench = await openBench(t);
  await bench.publishing.submitInventory([1, 2, 3, 4].map((i) => workload(i)));
  await bench.everywhere(await bench.approve(simpleSlices(['edge-1'], { max: 6 })));
  const { waiting } = await bench.publishing.submitInventory([
    ...[1, 2, 3].map(gone),
    ...[5, 6, 7, 8].map((i) => workload(i)),
  ]);
  t.equal(waiting?.fault.state, 'held');
  const status = await bench.publishing.submitInventory([workload(20), workload(21)]);
  t.equal(status.waiting?.fault.state, 'refused');
  await t.rejects(bench.publishing.accept(waiting?.revision ?? 0), { code: 'EDW_ERR_NOTHING_HELD' });
  t.equal(members(bench), 6);
  await bench.publishing.submitInventory([gone(20)]);
  t.match(bench.publishing.status().inventory.waiting, { fault: { state: 'held' } });
  t.equal(bench.publishing.point('edge-1')?.state?.book.members(simpleGroup()).length, 5);
});

t.test('a change that has nothing to do with what waits costs nothing of it', (t) => {
  const membership = createMembership();
  const rules = slicesOfApps(2, 600);
  membership.setGroups(
    rules.flatMap(({ groups }) =>
      groups.flatMap((group) => (group.kind === 'workloads' ? [{ ...group, max: null }] : [])),
    ),
  );
  const edits: number[] = [];
  const counted: Membership = {
    ...membership,
    change(all) {
      const list = [...all];
      edits.push(list.length);
      return membership.change(list);
    },
  };
  const blob = { digest: '', bytes: Buffer.alloc(0), length: 0 };
  const outlineOf = createOutlines();
  const desk = createInventoryDesk({
    membership: counted,
    concerned: () =>
      rules.map((it) => [
        it.point,
        { version: 1, slice: { rules: outlineOf(it), rulesBlob: blob, approvalBlob: blob }, base: null },
      ]),
    nextName: () => 1,
  });
  desk.load(Array.from({ length: 500 }, (_, i) => workload(i, { app: 'a-0' })));
  desk.submit(
    Array.from({ length: 400 }, (_, i) => gone(i)),
    0,
  );
  t.match(desk.waiting(), [{ fault: { state: 'held' } }]);
  edits.length = 0;
  desk.submit([workload(900, { app: 'a-1' })], 0);
  t.strictSame(edits, [1], 'another group');
  edits.length = 0;
  desk.submit([workload(901, { app: 'a-0' })], 0);
  t.strictSame(edits, [1, 400, 400], 'its own group: once, and taken back');
  t.end();
});

t.test('proposed policy is judged with the inventory in force, whatever waits beside it', async (t) => {
  const store = await openServedStore(t);
  const bundle = (rule: string) => shopBundle(['edge-1'], rule, 3);
  await store.inventory(...crms(3));
  await store.publish(bundle('one'));
  await store.inventory(...crms(4));
  t.match(store.store.status().inventory.waiting, { fault: { state: 'refused' } });
  await store.publish(bundle('two'));
  t.equal(store.store.publishing.point('edge-1')?.state?.version, 2, 'a fourth that is not in force is no fault of it');
});
