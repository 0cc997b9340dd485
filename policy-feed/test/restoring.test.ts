import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rulesBytes } from '@edgeward/policy-format';
import t from 'tap';
import { seededKey, simpleSlices } from '../../test/kit/signed-world.ts';
import { until } from './conformance/patience.ts';
import { type Followed, openFollowed, type Running } from './fixtures/followed-store.ts';

async function caughtUp({ store }: Followed, running: Running): Promise<void> {
  await until('it has caught up', () => {
    const { kept, revision } = running.follower.status();
    return kept && revision === store.world.at(store.point).head.revision;
  });
}

/** Followed through three states, then stopped; the store is away. */
async function stopped(followed: Followed): Promise<{ newest: number; previous: number }> {
  const { store } = followed;
  const running = await followed.start();
  await caughtUp(followed, running);
  for (const step of [store.change, store.decide]) {
    await step();
    await caughtUp(followed, running);
  }
  await running.follower.close();
  store.away = true;
  const newest = store.world.at(store.point).head.revision;
  return { newest, previous: newest - 1 };
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

t.test('a restart begins with what was last known, also with the store away', async (t) => {
  const followed = await openFollowed(t);
  const { newest } = await stopped(followed);
  const running = await followed.start();
  t.match(running.states, [{ restored: true, state: { head: { revision: newest } } }]);
  t.match(running.follower.status(), { revision: newest, kept: true, lastError: null });
  t.notOk(running.events.includes('state_damaged'));
  await until('the store is missed', () => running.follower.status().lastError !== null);
  t.equal(running.revision(), newest);
});

t.test('what is damaged is left for the state before, or for none, and is never used', async (t) => {
  type Damage = (folder: string, blob: (of: 'rules' | 'index' | 'page' | 'approval') => string) => Promise<unknown>;
  const cases: Record<string, { damage: Damage; left: 'newest' | 'previous' | 'none' }> = {
    'a bit of the rules': { damage: (_, blob) => flip(blob('rules'), 40), left: 'previous' },
    'a bit of the approval': { damage: (_, blob) => flip(blob('approval'), 200), left: 'previous' },
    'the rules are cut short': { damage: (_, blob) => truncate(blob('rules'), 100), left: 'previous' },
    'the rules are gone': { damage: (_, blob) => rm(blob('rules')), left: 'previous' },
    // Both states have the same members.
    'a bit of the page': { damage: (_, blob) => flip(blob('page'), 3), left: 'none' },
    'the index is empty': { damage: (_, blob) => truncate(blob('index'), 0), left: 'none' },
    'half a head': { damage: (folder) => truncate(join(folder, 'head.json'), 300), left: 'previous' },
    'a head without its end': { damage: async (folder) => cutEnd(join(folder, 'head.json')), left: 'previous' },
    'no head': { damage: (folder) => rm(join(folder, 'head.json')), left: 'previous' },
    'neither head': {
      damage: (folder) => Promise.all(['', '.previous'].map((end) => truncate(join(folder, `head.json${end}`), 9))),
      left: 'none',
    },
    'no floor': { damage: (folder) => rm(join(folder, 'floor.json')), left: 'newest' },
    'a bit of the floor': { damage: (folder) => flip(join(folder, 'floor.json'), 60), left: 'newest' },
    'neither floor': {
      damage: (folder) => Promise.all(['', '.previous'].map((end) => rm(join(folder, `floor.json${end}`)))),
      left: 'newest',
    },
    'what was still being written': {
      damage: (folder) =>
        Promise.all(['.head.json.0.unfinished', 'blobs/.x.unfinished'].map((it) => writeFile(join(folder, it), 'x'))),
      left: 'newest',
    },
  };
  for (const [name, { damage, left }] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const followed = await openFollowed(t);
      const { store, folder } = followed;
      const revisions = await stopped(followed);
      const { head, book } = store.world.at(store.point);
      const digests = {
        ...{ rules: head.rules.digest, approval: head.approval.digest },
        ...{ index: head.members.digest, page: book.page(0).digest },
      };
      await damage(folder, (of) => join(folder, 'blobs', digests[of]));
      const running = await followed.start();
      t.equal(running.revision(), left === 'none' ? 0 : revisions[left]);
      store.away = false;
      await caughtUp(followed, running);
      t.equal(running.revision(), revisions.newest, 'and the store brings it back');
      await running.follower.close();
      store.away = true;
      const again = await followed.start();
      t.equal(again.revision(), revisions.newest, 'for good');
    });
  }
});

t.test('what a write that failed has left behind holds up no later one', async (t) => {
  const followed = await openFollowed(t);
  const { store, folder } = followed;
  const running = await followed.start();
  await caughtUp(followed, running);
  const before = await readFile(join(folder, 'head.json'), 'utf8');
  const left = ['head.json', 'floor.json'].map((name) => join(folder, `${name}.previous.unfinished`));
  await Promise.all(left.map((path) => writeFile(path, 'left behind')));
  await store.change();
  await caughtUp(followed, running);
  t.equal(
    await readFile(join(folder, 'head.json.previous'), 'utf8'),
    before,
    'the state before, and not what was left',
  );
  await running.follower.close();
});

async function cutEnd(path: string): Promise<void> {
  await truncate(path, (await readFile(path)).length - 1);
}

t.test('what somebody wrote into the folder is not believed', async (t) => {
  const followed = await openFollowed(t);
  const { store, folder } = followed;
  const { previous } = await stopped(followed);
  const { world, point } = store;
  const [slice] = simpleSlices([point], { id: 'mallory', max: 60_000 });
  if (slice === undefined) throw new Error('there is no slice');
  const rules = world.put(rulesBytes(slice));
  const forged = await world.forge(point, (head) => ({ ...head, revision: head.revision + 1, rules }));
  const stranger = await seededKey('mallory');
  for (const head of [forged, await world.forge(point, (it) => ({ ...it, revision: it.revision + 1 }), stranger)]) {
    await writeFile(join(folder, 'head.json'), `${JSON.stringify(head)}\n`);
    await writeFile(join(folder, 'blobs', rules.digest), world.blob(rules.digest) ?? '');
    const running = await followed.start();
    t.equal(running.revision(), previous);
    await running.follower.close();
  }
});

t.test('trust roots that were taken over are kept, and the state outlives the keys that signed it', async (t) => {
  const followed = await openFollowed(t);
  const { store, folder } = followed;
  const first = await followed.start();
  await caughtUp(followed, first);
  const key = await seededKey('the next store key');
  await store.world.changeRoot((root) => ({ ...root, storeKeys: [key.publicKey] }));
  store.world.useStoreKey(key);
  await store.decide();
  await caughtUp(followed, first);
  await first.follower.close();
  t.strictSame(await readdir(join(folder, 'roots')), ['2.json']);
  store.away = true;
  const second = await followed.start();
  t.equal(second.revision(), store.world.at(store.point).head.revision);
  store.calls.length = 0;
  store.away = false;
  await store.change();
  await caughtUp(followed, second);
  t.notOk(store.calls.includes('root'), 'it is not asked for again');
});

t.test('blobs that nothing names any more are gone, and those of the state before are not', async (t) => {
  const followed = await openFollowed(t);
  const { store, folder } = followed;
  const running = await followed.start();
  await caughtUp(followed, running);
  for (let step = 0; step < 12; step += 1) {
    await (step % 3 === 0 ? store.decide() : store.change());
    await caughtUp(followed, running);
  }
  // Of either state: approval, rules, index, page.
  await until('they are gone', async () => (await readdir(join(folder, 'blobs'))).length <= 8);
  t.ok((await readdir(join(folder, 'blobs'))).length >= 4);
});
