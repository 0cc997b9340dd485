/** A follower over HTTPS: one connection for all of it, with stores that know the question and with those that do not. */
import { X509Certificate } from 'node:crypto';
import { createLogger, EdgewardError } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { testCertificates } from '../../test/kit/certificates.ts';
import { createHttpsTransport, type FollowerOptions, type Transport } from '../src/index.ts';
import { followed } from './conformance/following.ts';
import { until } from './conformance/patience.ts';
import { openSmallStore, type SmallStore } from './fixtures/small-store.ts';

const logger = createLogger({ level: 'silent' });
const NEVER = new AbortController().signal;

function transportTo(t: Test, store: SmallStore): Transport {
  const transport = createHttpsTransport({ url: store.url, tls: store.tls, logger, callMs: 2_000 });
  t.teardown(() => transport.close());
  return transport;
}

async function follow(t: Test, store: SmallStore, options: Partial<FollowerOptions> = {}) {
  const transport = transportTo(t, store);
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

/** What the points of a store hold, and their questions over one transport. */
async function asking(t: Test, store: SmallStore) {
  const transport = transportTo(t, store);
  const points = [store.point, store.other];
  const held = points.map((point) => ({ head: store.world.at(point).head, signed: store.world.head(point) }));
  const ask = async (n: number, waitMs: number, signal = NEVER) => {
    const [point, it] = [points[n], held[n]];
    if (transport.question === undefined || point === undefined || it === undefined) throw new Error('nobody asks');
    return transport.question(point, { held: it, waitMs, report: null }, signal);
  };
  const both = (waitMs: number) => Promise.allSettled([ask(0, waitMs), ask(1, waitMs)]);
  // The first of a service is asked for at once: nobody knows yet that there are others.
  await both(0);
  store.asked.length = 0;
  return { transport, ask, both };
}

const together = ({ asked }: SmallStore): number => asked.filter((line) => line === 'POST /v1/next').length;

t.test('points of one service ask together on one connection, and meet again after one was asked apart', async (t) => {
  const store = await openSmallStore(t);
  const { ask, both } = await asking(t, store);
  t.match(await both(600), [{ value: { news: { state: 'unchanged' } } }, { value: { news: { state: 'unchanged' } } }]);
  t.equal(together(store), 1);
  const first = ask(0, 3_000);
  await until('it waits', () => store.asked.length === 2);
  const second = ask(1, 30_000);
  t.match(await first, { news: { state: 'unchanged' } });
  const again = ask(0, 30_000);
  await until('they are asked for together', () => together(store) === 2);
  t.ok(store.connections() <= 2, 'one beside the other, while they were apart');
  await store.change();
  store.wake();
  t.match(await again, { news: { state: 'delta' } });
  const left = await Promise.race([second, again]);
  t.equal(left.news.state, 'delta');
});

t.test('a renewed certificate is shown from the next question on, and what is under way is answered', async (t) => {
  const store = await openSmallStore(t);
  const { transport, both } = await asking(t, store);
  const hinted: string[] = [];
  const end = transport.hints?.([store.point], (point) => void hinted.push(point));
  t.teardown(() => end?.());
  const hintComes = (): boolean => {
    store.wake();
    return hinted.length > 0;
  };
  await until('a hint arrives', hintComes);
  const waiting = both(120_000);
  await until('both wait', () => together(store) === 1);
  const [{ cert, key }, strangers] = await Promise.all([
    store.certificates.point(store.point, store.other),
    testCertificates(t.testdir()),
  ]);
  const [former, renewed] = [store.tls.cert, cert].map((it) => new X509Certificate(it).fingerprint256);
  const halfWritten = () => transport.renew?.({ ...store.tls, cert });
  t.throws(halfWritten, { code: 'EDW_ERR_STORE_CERTIFICATE' });
  t.ok(
    store.shown().every((it) => it === former),
    'a pair that is half written changes nothing',
  );
  transport.renew?.({ ...store.tls, cert, key });
  hinted.length = 0;
  await until('hints come again', hintComes);
  t.strictSame(new Set(store.shown()), new Set([former, renewed]), 'who waits goes on waiting');
  await store.change();
  store.wake();
  t.match(await waiting, [{ value: { news: { state: 'delta' } } }, { status: 'fulfilled' }]);
  t.match(await both(0), [{ status: 'fulfilled' }, { status: 'fulfilled' }]);
  await until('nobody shows the former one', () => store.shown().every((it) => it === renewed));
  transport.renew?.({ ca: strangers.ca, cert, key });
  const unbelieved = { reason: { code: 'EDW_ERR_STORE_CERTIFICATE' } };
  t.match(await both(0), [unbelieved, unbelieved], 'another authority is the only one believed');
  transport.renew?.({ ...store.tls, cert, key });
  t.match(await both(0), [{ status: 'fulfilled' }, { status: 'fulfilled' }]);
});

t.test('a store that does not know the joint question is asked for each point', async (t) => {
  const store = await openSmallStore(t);
  store.withoutQuestions = true;
  const { both } = await asking(t, store);
  for (let round = 0; round < 2; round += 1) t.match(await both(0), [{ status: 'fulfilled' }, { status: 'fulfilled' }]);
  t.equal(together(store), 1, 'and not asked again and again');
});

t.test('an answer that is none is nobody else their fault', async (t) => {
  const store = await openSmallStore(t);
  const { both } = await asking(t, store);
  const fails = { status: 'rejected', reason: { code: 'EDW_ERR_STORE_ANSWER' } };
  const cases: [name: string, text: string, second: object][] = [
    ['a point that was not asked for', 'edge-9 {}\n', fails],
    ['no point', '\n', fails],
    ['the same twice', 'edge-1 {}\nedge-1 {}\n', fails],
    ['a line without an end', 'edge-1 {"head":', fails],
    ['a line without an end in sight', `edge-1 ${'x'.repeat(200_000)}\n`, fails],
    ['no answer for one of them', 'edge-1 {"head":{}}\n', { status: 'fulfilled' }],
  ];
  for (const [name, text, second] of cases) {
    store.instead = (_request, response) => response.end(text);
    t.match(await both(0), [fails, second], name);
  }
  store.instead = (_request, response) => void response.writeHead(503).end();
  t.match(await both(0), [{ reason: { code: 'EDW_ERR_STORE_UNREACHABLE' } }, { status: 'rejected' }]);
  store.instead = null;
  t.match(await both(0), [{ status: 'fulfilled' }, { status: 'fulfilled' }]);
});
