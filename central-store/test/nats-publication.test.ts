import { createNatsTransport, natsLayout, type Transport } from '@edgeward/policy-feed';
import { canonicalJson, cursorOf, digestOf } from '@edgeward/policy-format';
import { createLogger, systemClock } from '@edgeward/runtime';
import {
  createLastHop,
  createSignedWorld,
  type NatsStore,
  type NatsStoreOptions,
  publishedWorld,
  requireNatsServer,
  simpleGroup,
  simpleSlices,
  startNatsStore,
} from '@edgeward/test/kit';
import { Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import t, { type Test } from 'tap';
import { createNatsPublication } from '../src/index.ts';

await requireNatsServer(t);

const signal = new AbortController().signal;
const logger = createLogger({ level: 'silent' });
const points = ['edge-1', 'edge.2'];
const { headSubject, readSubject, reportSubject } = natsLayout;

const members = (count: number): Record<string, string[]> => ({
  [simpleGroup()]: Array.from({ length: count }, (_, at) => `10.30.0.${at + 1}`),
});

async function started(t: Test, options: Partial<NatsStoreOptions> = {}): Promise<NatsStore> {
  const world = await createSignedWorld();
  await world.publish(simpleSlices(points), { members: members(2) });
  const store = await startNatsStore({ world, nodes: 1, points, ...options });
  t.teardown(() => store.close());
  return store;
}

function follow(t: Test, store: NatsStore, point = 'edge-1'): Transport {
  const credentials = store.credentials(point);
  const transport = createNatsTransport({ urls: store.cluster.servers, credentials, points: [point], logger });
  t.teardown(() => transport.close());
  return transport;
}

async function connected(t: Test, store: NatsStore, user: string): Promise<NatsConnection> {
  const found = user === 'store' ? store.storeCredentials : store.credentials(user);
  if (found.kind !== 'password') throw new Error('a password was wanted');
  const inboxPrefix = user === 'store' ? natsLayout.STORE_INBOX_PREFIX : natsLayout.inboxPrefix(user);
  const servers = [...store.cluster.servers];
  const connection = await connect({ servers, user: found.user, pass: found.password, inboxPrefix });
  t.teardown(() => connection.close());
  return connection;
}

/** Bounded: what is asked afterwards then fails by itself. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 400 && !(await isSo()); attempt += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

async function newestOver(transport: Transport, store: NatsStore, point = 'edge-1'): Promise<string> {
  const hop = createLastHop(store.world, point);
  hop.fetch = { ...hop.fetch, blob: (digest, maxBytes) => transport.blob(digest, maxBytes, signal) };
  const news = await transport.next(point, null, { waitMs: 0, signal });
  if (news.state === 'head') await hop.take(news.head);
  return hop.state === null ? '' : cursorOf(hop.state).stateRoot;
}

t.test('other clients read it as what NATS calls buckets and objects', async (t) => {
  // Tools of an operator have rights of their own, in the account of the store.
  const tool = '{ user: tool, password: tool }';
  const store = await started(t, { rewrite: (text) => text.replace('users: [', `users: [ ${tool},`) });
  await store.bring();
  const connection = await connect({ servers: [...store.cluster.servers], user: 'tool', pass: 'tool' });
  t.teardown(() => connection.close());
  const heads = await new Kvm(connection).open('edgeward_heads');
  t.strictSame((await heads.get('edge=2'))?.json(), store.world.head('edge.2'));
  const blobs = await new Objm(connection).open('edgeward_blobs');
  const { digest } = store.world.at('edge-1').head.rules;
  t.equal(digestOf((await blobs.getBlob(`edge-1/${digest}`)) ?? ''), digest);
  const listed = (await blobs.list()).map(({ name }) => name);
  t.ok(listed.includes(`edge=2/${store.world.at('edge.2').head.members.digest}`));
});

t.test('what is in force is there whole, and told to be', async (t) => {
  const store = await started(t);
  await store.bring();
  t.match(store.publication.status(), { state: 'current', pending: 0 });
  for (const point of points)
    t.equal(await newestOver(follow(t, store, point), store, point), store.world.at(point).head.stateRoot);
});

t.test('a head never comes before what it names', async (t) => {
  let missing = true;
  const store = await started(t, {
    state: (state) => ({
      ...state,
      blob: async (point, digest) => {
        const named = store.world.at(point).head.rules.digest;
        return missing && digest === named && point === 'edge-1' ? null : state.blob(point, digest);
      },
    }),
  });
  store.publication.headChanged('edge-1');
  const admin = await connected(t, store, 'store');
  await until(() => store.publication.status().state === 'behind' && errorOf(store) !== null);
  t.match(errorOf(store), { code: 'EDW_ERR_NATS_PUBLISH', message: /edge-1/ });
  const asked = (point: string) =>
    admin.request(readSubject('KV_edgeward_heads', headSubject(point)), '', { timeout: 20_000 });
  t.equal((await asked('edge-1')).headers?.code, 404, 'no head of it');
  await until(async () => (await asked('edge.2')).headers?.code === 0);
  t.equal((await asked('edge.2')).headers?.code, 0, 'the other point is not held up');
  missing = false;
  await store.bring();
  t.equal(await newestOver(follow(t, store), store), store.world.at('edge-1').head.stateRoot);
});

t.test('after an outage everything is brought over, though nothing was queued', async (t) => {
  const store = await started(t);
  await store.bring();
  for (const wiped of [false, true]) {
    await store.cluster.kill(0);
    await store.world.move(members(wiped ? 9 : 5));
    store.publication.headChanged('edge-1');
    await store.world.changeRoot((root) => root);
    if (wiped) await store.cluster.wipe(0);
    await store.cluster.restart(0);
    await store.bring([]);
    for (const point of points) {
      const transport = follow(t, store, point);
      const wanted = store.world.at(point).head.stateRoot;
      await until(async () => (await newestOver(transport, store, point).catch(() => '')) === wanted);
      t.equal(await newestOver(transport, store, point), wanted, `${point}, wiped: ${wiped}`);
    }
    t.ok(await follow(t, store).root(store.world.root.version, signal), 'and the roots');
  }
});

t.test('a store that starts again finds what is there, and takes away points that are no more', async (t) => {
  const store = await started(t);
  await store.bring();
  await store.publication.close();
  store.points.delete('edge.2');
  await store.world.move(members(4));
  const again = createNatsPublication({
    urls: store.cluster.servers,
    credentials: store.storeCredentials,
    replicas: 1,
    state: publishedWorld(store.world, store.points),
    onReport: () => {},
    clock: systemClock,
    logger,
  });
  t.teardown(() => again.close());
  await again.settled(AbortSignal.timeout(30_000));
  const transport = follow(t, store);
  t.equal(await newestOver(transport, store), store.world.at('edge-1').head.stateRoot);
  const gone = follow(t, store, 'edge.2').next('edge.2', null, { waitMs: 0, signal });
  await t.rejects(gone, { code: 'EDW_ERR_STORE_NO_POINT' });
});

t.test('a blob that no head names goes after its grace, and comes back when it is named again', async (t) => {
  const store = await started(t, { blobGraceMs: 100 });
  await store.bring();
  const transport = follow(t, store);
  const before = store.world.at('edge-1').head.members;
  t.ok(await transport.blob(before.digest, before.bytes, signal));
  await store.world.move(members(3));
  await store.bring();
  const kept = store.world.at('edge-1').head;
  await until(async () => (await transport.blob(before.digest, before.bytes, signal)) === null);
  t.equal(await transport.blob(before.digest, before.bytes, signal), null);
  t.ok(await transport.blob(kept.members.digest, kept.members.bytes, signal), 'what is named stays');
  await store.world.move(members(2));
  await store.bring();
  t.equal(digestOf((await transport.blob(before.digest, before.bytes, signal)) ?? ''), before.digest);
});

t.test('reports are kept while the store is away, and are believed only of their own point', async (t) => {
  const store = await started(t);
  await store.bring();
  await store.publication.close();
  const connection = await connected(t, store, 'edge-1');
  const report = { typ: 'edgeward-report/1', point: 'edge-1', revision: 1 };
  connection.publish(reportSubject('edge-1'), canonicalJson(report));
  await connection.flush();
  const taken: unknown[] = [];
  const again = createNatsPublication({
    urls: store.cluster.servers,
    credentials: store.storeCredentials,
    replicas: 1,
    state: publishedWorld(store.world, store.points),
    onReport: (point, it) => void taken.push({ point, report: it }),
    clock: systemClock,
    logger,
  });
  t.teardown(() => again.close());
  await until(() => taken.length === 1);
  t.strictSame(taken, [{ point: 'edge-1', report }]);
  const bad = [
    canonicalJson({ ...report, point: 'edge.2' }),
    canonicalJson({ ...report, typ: 'edgeward-head/1' }),
    '{"point":"edge-1","point":"edge.2","typ":"edgeward-report/1"}',
    '[]',
    'null',
    '',
    '{"a":'.repeat(2_000),
  ];
  for (const [at, text] of bad.entries()) {
    connection.publish(reportSubject('edge-1'), text);
    await connection.flush();
    // Of each point only the newest is kept: the next one follows when this was taken.
    await until(() => again.status().reports.refused > at);
    t.equal(again.status().reports.refused, at + 1, text.slice(0, 40));
  }
  t.equal(taken.length, 1);
});

function errorOf(store: NatsStore): unknown {
  const status = store.publication.status();
  return status.state === 'behind' ? status.error : null;
}
