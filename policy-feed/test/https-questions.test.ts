/** A follower over HTTPS: one connection for all of it, with stores that know the question and with those that do not. */
import { createLogger, EdgewardError } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { createHttpsTransport, type FollowerOptions } from '../src/index.ts';
import { followed } from './conformance/following.ts';
import { until } from './conformance/patience.ts';
import { openSmallStore, type SmallStore } from './fixtures/small-store.ts';

async function follow(t: Test, store: SmallStore, options: Partial<FollowerOptions> = {}) {
  const logger = createLogger({ level: 'silent' });
  const transport = createHttpsTransport({ url: store.url, tls: store.tls, logger, callMs: 2_000 });
  t.teardown(() => transport.close());
  const { pinned } = store.world;
  const stage = { transport, pinned, point: store.point, clock: store.clock } as never;
  const { follower } = await followed(t, stage, { pollMs: 2_000, reportMs: 60_000, ...options });
  const caughtUp = async (what: string): Promise<void> => {
    const { revision } = store.world.at(store.point).head;
    await until(`${what} is taken over`, () => follower.status().kept && follower.status().revision === revision);
    await until(`${what} is told`, () => store.reports.at(-1)?.revision === revision);
  };
  return { follower, caughtUp };
}

const questions = ({ asked }: SmallStore): string[] => asked.filter((line) => line.endsWith('/next'));

t.test('changes, decisions and reports of a point go over one connection', async (t) => {
  const store = await openSmallStore(t);
  const { follower, caughtUp } = await follow(t, store);
  await caughtUp('the first');
  for (const step of [store.change, store.decide, store.change, store.change]) {
    await step();
    store.wake();
    await caughtUp('the next');
  }
  t.equal(store.connections(), 1);
  t.notOk(
    store.asked.some((line) => line.endsWith('/status')),
    'nothing was told by itself',
  );
  t.match(follower.status(), { deltas: 4, snapshots: 1, nack: null, lastError: null });
});

t.test('a head that was signed anew comes with the next answer', async (t) => {
  const store = await openSmallStore(t);
  const { follower, caughtUp } = await follow(t, store);
  await caughtUp('the first');
  const { expiresAt } = follower.status();
  await store.world.refresh();
  store.wake();
  await until('the new head is held', () => follower.status().expiresAt !== expiresAt);
  t.match(follower.status(), { deltas: 0, snapshots: 1, nack: null });
});

t.test('what came along need not be fetched, and what does not fit is passed over', async (t) => {
  const store = await openSmallStore(t);
  const { follower, caughtUp } = await follow(t, store);
  await caughtUp('the first');
  const named = (): Uint8Array[] => {
    const { approval, rules } = store.world.at(store.point).head;
    return [approval, rules].flatMap(({ digest }) => store.world.blob(digest) ?? []);
  };
  const fetched = (): number => store.asked.filter((line) => line.includes('/blobs/')).length;
  const before = fetched();
  const cases: [name: string, along: () => Uint8Array[], fetches: number][] = [
    ['both', named, 0],
    ['one of them', () => named().slice(0, 1), 1],
    ['others', () => [Buffer.from('{}'), Buffer.from('')], 2],
    ['changed ones', () => named().map((it) => Buffer.concat([it, Buffer.from(' ')])), 2],
    ['none', () => [], 2],
  ];
  let expected = before;
  for (const [name, along, fetches] of cases) {
    await store.decide();
    store.along = along();
    store.wake();
    await caughtUp(name);
    expected += fetches;
    t.equal(fetched(), expected, name);
  }
  t.match(follower.status(), { deltas: cases.length, nack: null, lastError: null });
});

t.test('a store from before there were questions is asked as it was then', async (t) => {
  const store = await openSmallStore(t);
  store.withoutQuestions = true;
  const { follower, caughtUp } = await follow(t, store);
  await caughtUp('the first');
  await store.change();
  store.wake();
  await caughtUp('a change');
  const { expiresAt } = follower.status();
  await store.world.refresh();
  await until('a new head of the same is held', () => follower.status().expiresAt !== expiresAt);
  t.equal(questions(store).length, 1, 'it is not asked again and again');
  t.match(follower.status(), { lastError: null, nack: null });
});

t.test('a report that the store can not read keeps no policy away', async (t) => {
  const store = await openSmallStore(t);
  store.refusesReports = true;
  const { follower } = await follow(t, store);
  for (let round = 0; round < 2; round += 1) {
    await store.change();
    store.wake();
    const { revision } = store.world.at(store.point).head;
    await until('it is taken over', () => follower.status().revision === revision);
  }
  t.equal(store.reports.length, 0);
  t.match(follower.status(), { lastError: null, nack: null });
});

t.test('what was refused is told, although nothing is asked then that would take it along', async (t) => {
  const store = await openSmallStore(t);
  let full = false;
  const { follower, caughtUp } = await follow(t, store, {
    onState() {
      if (full) throw new EdgewardError('EDW_ERR_TEST_FULL', 'compiling: the point is full', { mend: '' });
    },
  });
  await caughtUp('the first');
  full = true;
  await store.change();
  store.wake();
  await until('the refusal is told', () => store.reports.at(-1)?.nack?.code === 'EDW_ERR_TEST_FULL');
  full = false;
  await caughtUp('the change');
  t.equal(store.reports.at(-1)?.nack, null);
  t.equal(follower.status().nack, null);
  t.equal(store.connections(), 1);
});

t.test(
  'a question that hangs is one on a dead connection: the next one is asked on another, and waits for nothing',
  async (t) => {
    const store = await openSmallStore(t);
    const { follower, caughtUp } = await follow(t, store, { pollMs: 500 });
    await caughtUp('the first');
    store.hushed = true;
    await store.change();
    const { revision } = store.world.at(store.point).head;
    await until('the change is taken over', () => follower.status().revision === revision);
    t.ok(store.connections() > 1);
  },
);
