import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { simpleGroup } from '../../test/kit/signed-world.ts';
import { thrownBy, until } from './conformance/patience.ts';
import { type Followed, openFollowed, type Running } from './fixtures/followed-store.ts';

/** On disk, or 0. */
async function floorOf({ folder }: Followed): Promise<number> {
  const text = await readFile(join(folder, 'floor.json'), 'utf8').catch(() => null);
  return text === null ? 0 : JSON.parse(text).memory.floor.revision;
}

async function caughtUp({ store }: Followed, running: Running): Promise<void> {
  await until('it has caught up', () => {
    const { kept, revision } = running.follower.status();
    return kept && revision === store.world.at(store.point).head.revision;
  });
}

t.test('a state is handed over first, kept second, floor last, and only then told to the store', async (t) => {
  const followed = await openFollowed(t);
  const floors: number[] = [];
  const running = await followed.start({
    reportMs: 200,
    async onState(state) {
      t.ok((await floorOf(followed)) < state.head.revision, 'the floor is lower');
      t.ok(
        followed.store.reports.every(({ revision }) => revision < state.head.revision),
        'nobody was told',
      );
      floors.push(state.head.revision);
    },
  });
  await caughtUp(followed, running);
  await followed.store.change();
  await caughtUp(followed, running);
  t.equal(await floorOf(followed), running.revision());
  await until('it is told', () => followed.store.reports.at(-1)?.revision === running.revision());
  t.equal(floors.length, 2);
});

t.test('one change is one delta; a decision brings its documents; a head signed anew hands over nothing', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  const running = await followed.start();
  await caughtUp(followed, running);
  t.match(running.follower.status(), { snapshots: 1, deltas: 0, stale: false, nack: null, lastError: null });
  const blobs = () => store.calls.filter((call) => call === 'blob').length;
  const before = blobs();
  await store.change();
  await caughtUp(followed, running);
  t.match(running.follower.status(), { snapshots: 1, deltas: 1 });
  t.equal(blobs(), before, 'a delta needs nothing more');
  const handedOver = running.states.length;
  const { expiresAt } = running.follower.status();
  await store.world.refresh();
  await until('the new head is held', () => running.follower.status().expiresAt !== expiresAt);
  t.equal(running.states.length, handedOver);
  t.match(running.follower.status(), { snapshots: 1, deltas: 1 });
});

t.test('what is refused when it is handed over is not taken over, is told, and is offered again', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  let full = false;
  const running = await followed.start({
    reportMs: 200,
    async onState() {
      if (full) throw new EdgewardError('EDW_ERR_TEST_FULL', 'compiling: the point is full', { mend: '' });
    },
  });
  await caughtUp(followed, running);
  const first = running.revision();
  full = true;
  await store.change();
  await until('it is refused', () => running.nacks.length > 0);
  t.match(running.nacks[0], { stage: 'compile', code: 'EDW_ERR_TEST_FULL', revision: first + 1 });
  t.equal(await floorOf(followed), first);
  t.equal(running.follower.status().revision, first);
  await until('it is told', () => store.reports.at(-1)?.nack?.code === 'EDW_ERR_TEST_FULL');
  t.equal(store.reports.at(-1)?.revision, first);
  full = false;
  await caughtUp(followed, running);
  t.equal(running.follower.status().nack, null);
  t.equal(running.nacks.length, 1, 'said once');
});

t.test('a delta that does not lead to the signed state is refused, and the whole state is taken instead', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  const running = await followed.start();
  await caughtUp(followed, running);
  store.bend = (delta) => ({
    ...delta,
    operations: [{ op: 'members', group: simpleGroup(), add: ['10.30.9.9'], remove: [] }],
  });
  await store.change();
  await caughtUp(followed, running);
  t.match(running.nacks, [{ stage: 'state' }]);
  t.notOk(running.states.at(-1)?.state.book.members(simpleGroup()).includes('10.30.9.9'));
  t.match(running.follower.status(), { snapshots: 2, deltas: 0, nack: null });
});

t.test('an older state is refused, running and after a restart, and the next newer one is taken', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  const old = store.world.head(store.point);
  await store.change();
  const running = await followed.start();
  await caughtUp(followed, running);
  store.head = old;
  running.follower.checkSoon();
  await until('it is refused', () => running.nacks.length > 0);
  t.match(running.nacks[0], { stage: 'head', code: 'EDW_ERR_HEAD_ROLLBACK' });
  await running.follower.close();
  for (const name of ['head.json', 'head.json.previous']) await rm(join(followed.folder, name), { force: true });
  const again = await followed.start();
  await until('it is refused again', () => again.nacks.length > 0);
  t.match(again.nacks[0], { code: 'EDW_ERR_HEAD_ROLLBACK' });
  t.equal(again.states.length, 0, 'the state was lost, and the floor was not');
  store.head = null;
  await caughtUp(followed, again);
});

t.test('a hung wait is no reason to miss anything', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  const running = await followed.start();
  await caughtUp(followed, running);
  store.hangs = 'waits';
  for (const round of [1, 2, 3]) {
    await store.change();
    await caughtUp(followed, running);
    t.equal(running.follower.status().lastError, null, `round ${round}`);
  }
});

t.test('a store that is away is asked with pauses, said once, and found again', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  const running = await followed.start();
  await caughtUp(followed, running);
  store.away = true;
  await until('it is noticed', () => running.follower.status().lastError !== null);
  t.match(running.follower.status(), { lastError: { code: 'EDW_ERR_STORE_UNREACHABLE' }, nack: null });
  await store.change();
  store.away = false;
  await caughtUp(followed, running);
  await until('all is well', () => running.follower.status().lastError === null);
  const said = running.events.filter((event) => event.startsWith('store_'));
  t.equal(said.filter((event) => event === 'store_back').length, 1);
  t.strictSame(running.nacks, []);
});

t.test('a head that has expired is said once, and changes nothing that is in force', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  let skippedMs = 0;
  const clock = { now: () => store.clock.now() + skippedMs, after: store.clock.after };
  const running = await followed.start({ clock });
  await caughtUp(followed, running);
  const state = running.follower.state();
  skippedMs = 48 * 3_600_000;
  t.equal(running.follower.status().stale, true);
  t.equal(running.follower.state(), state);
  await running.follower.close();
  const again = await followed.start({ clock });
  await until('it is said', () => again.events.includes('policy_stale'));
  t.equal(again.revision(), state?.head.revision, 'and it is handed over after a restart');
  await store.world.refresh();
});

t.test('a record that was rewritten is seen, told, and remembered', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  await store.change();
  const running = await followed.start({ reportMs: 200 });
  await caughtUp(followed, running);
  const { log } = store.world.at(store.point).head;
  store.head = await store.world.forge(store.point, (head) => ({
    ...head,
    issuedAt: new Date(Date.parse(head.issuedAt) + 1000).toISOString(),
    log: { size: log.size, hash: 'f'.repeat(64) },
  }));
  running.follower.checkSoon();
  await until('it is seen', () => running.follower.status().contradicted);
  await until('it is told', () => store.reports.at(-1)?.contradicted === true);
  t.strictSame(store.reports.at(-1)?.witnessed, log);
  t.equal(running.events.filter((event) => event === 'record_contradicted').length, 1);
  await running.follower.close();
  const again = await followed.start();
  t.equal(again.follower.status().contradicted, true);
});

t.test('where nothing can be written the state is in force, and is kept as soon as that is possible', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  const running = await followed.start({ reportMs: 200 });
  await caughtUp(followed, running);
  const first = running.revision();
  // A folder in the place of the file: whoever runs this may be root, and may write anywhere.
  await rm(join(followed.folder, 'head.json'));
  await mkdir(join(followed.folder, 'head.json', 'in-the-way'), { recursive: true });
  await store.change();
  await until('the change is handed over', () => running.revision() > first);
  await until('the fault is known', () => running.follower.status().lastError?.code === 'EDW_ERR_STATE_WRITE');
  t.match(running.follower.status(), { kept: false, nack: null, revision: first + 1 });
  t.equal(await floorOf(followed), first);
  await store.change();
  await until('the next change is handed over too', () => running.revision() > first + 1);
  t.ok(store.reports.every(({ revision }) => revision <= first));
  await rm(join(followed.folder, 'head.json'), { recursive: true });
  await caughtUp(followed, running);
  t.equal(await floorOf(followed), running.revision());
});

t.test('a store that shows what is held again and again is not asked as fast as it answers', async (t) => {
  const followed = await openFollowed(t);
  const { store } = followed;
  const running = await followed.start({ pollMs: 1_000, random: () => 0.5 });
  await caughtUp(followed, running);
  store.head = store.world.head(store.point);
  store.calls.length = 0;
  running.follower.checkSoon();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.ok(store.calls.length < 50, `${store.calls.length} calls`);
  store.head = null;
  await store.change();
  await caughtUp(followed, running);
});

t.test('two followers never share a folder, and a name that is none names no folder', async (t) => {
  const followed = await openFollowed(t);
  await followed.start();
  t.equal((await thrownBy('a second one', () => followed.start())).code, 'EDW_ERR_STATE_IN_USE');
  for (const point of ['..', 'a/b', ''])
    t.equal((await thrownBy(point, () => followed.start({ point }))).code, 'EDW_ERR_STORE_NO_POINT', point);
});
