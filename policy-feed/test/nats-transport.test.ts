import { join } from 'node:path';
import { canonicalJson, cursorOf, digestOf, type PointReport, type PointState } from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
import {
  createLastHop,
  createSignedWorld,
  freePort,
  type LastHop,
  type NatsStore,
  type NatsStoreOptions,
  requireNatsServer,
  simpleGroup,
  simpleSlices,
  startNatsStore,
  testCertificates,
} from '@edgeward/test/kit';
import { connect, nkeys } from '@nats-io/transport-node';
import t, { type Test } from 'tap';
import { createNatsTransport, type NatsTransportOptions, natsLayout, type Transport } from '../src/index.ts';
import { createPointBlobs } from '../src/nats/point-blobs.ts';

await requireNatsServer(t);

const signal = new AbortController().signal;
const logger = createLogger({ level: 'silent' });
const now = { waitMs: 0, signal };
/** A `next` looks once more when its time is over: what was not woken by then fails instead. */
const patiently = () => ({ waitMs: 600_000, signal: AbortSignal.timeout(60_000) });
const points = ['edge-1', 'edge.2'];

async function published(t: Test, options: Partial<NatsStoreOptions> = {}): Promise<NatsStore> {
  const world = await createSignedWorld();
  await world.publish(simpleSlices(points), { members: membersUpTo(2) });
  const store = await startNatsStore({ world, nodes: 1, points, ...options });
  t.teardown(() => store.close());
  await store.bring();
  return store;
}

function membersUpTo(count: number): Record<string, string[]> {
  return { [simpleGroup()]: Array.from({ length: count }, (_, at) => `10.30.0.${at + 1}`) };
}

function follow(t: Test, store: NatsStore, user: string, more: Partial<NatsTransportOptions> = {}): Transport {
  const urls = store.cluster.servers;
  const own = user === 'site' ? points : [user];
  const transport = createNatsTransport({ urls, credentials: store.credentials(user), points: own, logger, ...more });
  t.teardown(() => transport.close());
  return transport;
}

/** A last hop that has everything through this transport, and believes nothing of it. */
function hopOver(transport: Transport, store: NatsStore, point: string): LastHop {
  const hop = createLastHop(store.world, point);
  hop.fetch = {
    ...hop.fetch,
    blob: (digest, maxBytes) => transport.blob(digest, maxBytes, signal),
    root: (version) => transport.root(version, signal),
  };
  return hop;
}

function heldBy(hop: LastHop): PointState {
  if (hop.state === null) throw new Error('the hop holds nothing');
  return hop.state;
}

t.test('what is published is taken over at the last hop: whole at first, then by its change', async (t) => {
  const store = await published(t);
  const site = follow(t, store, 'site');
  for (const point of points)
    for (const transport of [follow(t, store, point), site]) {
      const hop = hopOver(transport, store, point);
      const news = await transport.next(point, null, now);
      if (news.state !== 'head') throw new Error(`a head was wanted, not ${news.state}`);
      await hop.take(news.head);
      t.equal(heldBy(hop).head.aud, point);
      t.strictSame(await transport.next(point, cursorOf(heldBy(hop)), now), { state: 'unchanged' });
    }
  const hop = hopOver(site, store, 'edge.2');
  await hop.take();
  await store.world.move(membersUpTo(3));
  await store.bring();
  const news = await site.next('edge.2', cursorOf(heldBy(hop)), now);
  if (news.state !== 'delta') throw new Error(`a delta was wanted, not ${news.state}`);
  await hop.takeDelta(news.delta);
  t.equal(heldBy(hop).head.stateRoot, store.world.at('edge.2').head.stateRoot);
});

t.test('what was refused is given again, and a head that was signed anew is news', async (t) => {
  const store = await published(t);
  const transport = follow(t, store, 'edge-1');
  const hop = hopOver(transport, store, 'edge-1');
  for (const attempt of [1, 2])
    t.match(await transport.next('edge-1', null, now), { state: 'head' }, `attempt ${attempt}`);
  await hop.take();
  t.match(await transport.next('edge-1', cursorOf(heldBy(hop)), now), { state: 'unchanged' });
  await store.world.refresh();
  await store.bring();
  const news = await transport.next('edge-1', cursorOf(heldBy(hop)), now);
  t.match(news, { state: 'head', head: store.world.head('edge-1') });
});

t.test('a waiting reader is woken by a hint, and looks by itself where it may hear none', async (t) => {
  const cases = {
    'a hint': { rewrite: (text: string) => text, lookMs: 600_000 },
    'a look': { rewrite: (text: string) => text.replaceAll(/"edgeward\.hint\.[^"]*"/g, '"nothing"'), lookMs: 100 },
  };
  for (const [name, { rewrite, lookMs }] of Object.entries(cases)) {
    const store = await published(t, { rewrite });
    const transport = follow(t, store, 'edge-1', { lookMs });
    const hop = hopOver(transport, store, 'edge-1');
    await hop.take();
    t.match(await transport.next('edge-1', cursorOf(heldBy(hop)), now), { state: /head|unchanged/ });
    const waiting = transport.next('edge-1', cursorOf(heldBy(hop)), patiently());
    await store.world.move(membersUpTo(3));
    await store.bring();
    t.match(await waiting, { state: /head|delta/ }, name);
  }
});

t.test('a copy that lags behind the hint is asked again, and so is one that lacks what a head names', async (t) => {
  const store = await published(t);
  const transport = follow(t, store, 'edge-1', { lookMs: 600_000 });
  const hop = hopOver(transport, store, 'edge-1');
  await hop.take();
  const { storeCredentials: own, cluster } = store;
  if (own.kind !== 'password') throw new Error('a user with a password was wanted');
  const { STORE_INBOX_PREFIX: inboxPrefix } = natsLayout;
  const servers = [...cluster.servers];
  const lagging = await connect({ servers, user: own.user, pass: own.password, inboxPrefix });
  t.teardown(() => lagging.close());
  const point = 'edge-1';
  const held = cursorOf(heldBy(hop));
  await transport.next(point, held, now);
  const waiting = transport.next(point, held, patiently());
  await store.world.move(membersUpTo(3));
  lagging.publish(natsLayout.hintSubject(point), `${held.epoch}.${held.revision + 1}`);
  await lagging.flush();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const subject = natsLayout.headSubject(point);
  await lagging.request(subject, canonicalJson(store.world.head(point)), { timeout: 20_000 });
  t.match(await waiting, { state: 'head', head: store.world.head(point) });
  const asked: string[] = [];
  const blob = createPointBlobs(
    async ({ subject }) => {
      asked.push(subject);
      const header = (name: string) => (name === natsLayout.PARTS_HEADER ? '1' : '4');
      return asked.length < 3 ? null : { bytes: Buffer.from('late'), sequence: 1, atMs: 1, header };
    },
    { name: 'a copy that lags', points },
  );
  t.strictSame(Buffer.from((await blob(digestOf('late'), 4, signal, 'edge.2')) ?? []).toString(), 'late');
  t.strictSame(asked, Array(3).fill(natsLayout.partSubject('edge.2', digestOf('late'), 0)), 'of that point alone');
});

t.test('hints name the point that changed', async (t) => {
  const store = await published(t);
  const transport = follow(t, store, 'site');
  await transport.next('edge-1', null, now);
  const heard: string[] = [];
  const hinted = new Promise<void>((resolve) => {
    const stop = transport.hints?.(points, (point) => {
      heard.push(point);
      resolve();
    });
    t.teardown(() => stop?.());
  });
  // The subscription is on its way; what was said before it arrived is lost, as a hint may be.
  await transport.next('edge-1', null, now);
  await store.bring(['edge.2']);
  await hinted;
  t.strictSame([...new Set(heard)], ['edge.2']);
});

t.test('trust roots are had by their version, also later ones', async (t) => {
  const store = await published(t);
  const transport = follow(t, store, 'edge-1');
  t.strictSame(await transport.root(1, signal), store.world.pinned);
  t.equal(await transport.root(2, signal), null);
  for (const version of [0, -1, 1.5, Number.NaN]) t.equal(await transport.root(version, signal), null);
  const second = await store.world.changeRoot((root) => root);
  await store.bring([]);
  t.strictSame(await transport.root(2, signal), second);
});

t.test('blobs are had whole or not at all, within their cap', async (t) => {
  const large = new Uint8Array(300_000).map((_, at) => at % 251);
  const digest = digestOf(large);
  const empty = digestOf('');
  const world = await createSignedWorld();
  await world.publish(simpleSlices(points));
  world.put(large);
  world.put(new Uint8Array());
  const store = await startNatsStore({
    world,
    nodes: 1,
    points,
    state: (state) => ({
      ...state,
      head(point) {
        const head = state.head(point);
        return head === null || point !== 'edge.2' ? head : { ...head, blobs: [...head.blobs, digest, empty] };
      },
    }),
  });
  t.teardown(() => store.close());
  await store.bring();
  const transport = follow(t, store, 'site');
  t.strictSame(Buffer.from((await transport.blob(digest, large.length, signal)) ?? []), Buffer.from(large));
  t.strictSame(await transport.blob(empty, 0, signal), Buffer.alloc(0));
  await t.rejects(transport.blob(digest, large.length - 1, signal), { code: 'EDW_ERR_STORE_ANSWER' });
  t.equal(await transport.blob(digestOf('no blob'), 100, signal), null);
  for (const name of ['../heads', '>', '*.*', '']) t.equal(await transport.blob(name, 100, signal), null, name);
  t.equal(await follow(t, store, 'edge-1').blob(digest, large.length, signal), null, 'a blob of another point');
});

t.test('a point that is not there, and one of somebody else, are told apart', async (t) => {
  const store = await published(t);
  const transport = follow(t, store, 'edge-1');
  await t.rejects(transport.next('edge.2', null, now), { code: 'EDW_ERR_STORE_REFUSED', message: /edge\.2/ });
  await t.rejects(transport.next('../edge', null, now), { code: 'EDW_ERR_STORE_NO_POINT' });
  store.points.delete('edge-1');
  await store.bring(['edge-1']);
  await t.rejects(transport.next('edge-1', null, now), { code: 'EDW_ERR_STORE_NO_POINT' });
});

t.test('reports arrive, and nobody speaks for another point', async (t) => {
  const store = await published(t);
  const transport = follow(t, store, 'edge.2');
  await transport.report?.(reportOf('edge.2', 7), signal);
  await until(() => store.reports.length > 0);
  t.match(store.reports, [{ point: 'edge.2', report: { revision: 7 } }]);
  const forged = transport.report?.(reportOf('edge-1', 8), signal);
  await t.rejects(forged ?? Promise.resolve(), { code: 'EDW_ERR_STORE_REFUSED' });
  t.equal(store.reports.length, 1);
});

t.test('who is not let in, and who meets nobody, is told so; who gives up is free at once', async (t) => {
  const store = await published(t);
  const stranger = { kind: 'password', user: 'edge-1', password: 'wrong' } as const;
  const short = { attemptMs: 300 };
  const refused = follow(t, store, 'edge-1', { ...short, credentials: stranger });
  await t.rejects(refused.next('edge-1', null, now), { code: 'EDW_ERR_STORE_REFUSED' });
  const nobody = follow(t, store, 'edge-1', { ...short, urls: [`nats://127.0.0.1:${await freePort()}`] });
  await t.rejects(nobody.next('edge-1', null, now), { code: 'EDW_ERR_STORE_UNREACHABLE', mend: /asked again/ });
  const leaving = new AbortController();
  const waiting = follow(t, store, 'edge-1').next('edge-1', null, { waitMs: 0, signal: leaving.signal });
  leaving.abort(new Error('enough'));
  await t.rejects(waiting, { message: 'enough' });
  const held = hopOver(refused, store, 'edge-1');
  held.fetch = createLastHop(store.world, 'edge-1').fetch;
  await held.take();
  const long = follow(t, store, 'edge-1');
  const ending = new AbortController();
  const idle = long.next('edge-1', cursorOf(heldBy(held)), { waitMs: 600_000, signal: ending.signal });
  setTimeout(() => ending.abort(new Error('enough')), 200);
  await t.rejects(idle, { message: 'enough' });
});

t.test('a store that comes back is found again, with what it published meanwhile', async (t) => {
  const store = await published(t);
  const transport = follow(t, store, 'edge-1', { attemptMs: 300 });
  const hop = hopOver(transport, store, 'edge-1');
  await hop.take();
  await store.cluster.kill(0);
  await t.rejects(transport.next('edge-1', null, now), { code: 'EDW_ERR_STORE_UNREACHABLE' });
  await store.world.move(membersUpTo(4));
  store.publication.headChanged('edge-1');
  await store.cluster.restart(0);
  await store.bring();
  let news = await newsOf(transport, hop);
  for (let attempt = 0; attempt < 40 && news === null; attempt += 1) news = await newsOf(transport, hop);
  t.match(news, { state: /head|delta/ });
});

t.test('with TLS the authority is asked for, and nothing goes on without it', async (t) => {
  const folder = t.testdir();
  const files = await (await testCertificates(join(folder, 'own'))).server();
  const others = await testCertificates(join(folder, 'others'));
  const store = await published(t, { tls: files });
  const good = follow(t, store, 'edge-1', { tls: { ca: files.ca } });
  t.match(await good.next('edge-1', null, now), { state: 'head' });
  const short = { attemptMs: 500 };
  const wrong = follow(t, store, 'edge-1', { ...short, tls: { ca: others.ca } });
  await t.rejects(wrong.next('edge-1', null, now), { code: 'EDW_ERR_STORE_CERTIFICATE' });
  const clear = await published(t);
  const urls = clear.cluster.servers.map((url) => url.replace('nats://127.0.0.1', 'tls://localhost'));
  const downgraded = follow(t, clear, 'edge-1', { ...short, urls, tls: { ca: files.ca } });
  await t.rejects(downgraded.next('edge-1', null, now), { code: 'EDW_ERR_STORE_UNREACHABLE', message: /tls/ });
});

t.test('an nkey lets in whoever holds its seed, and nobody else', async (t) => {
  const [key, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const rewrite = (text: string) => text.replace(/user: "edge-1", password: "[^"]*"/, `nkey: "${key.getPublicKey()}"`);
  const store = await published(t, { rewrite });
  const seedOf = (pair: typeof key) => ({ kind: 'nkey', seed: new TextDecoder().decode(pair.getSeed()) }) as const;
  const transport = follow(t, store, 'edge-1', { credentials: seedOf(key) });
  t.match(await transport.next('edge-1', null, now), { state: 'head' });
  const refused = follow(t, store, 'edge-1', { credentials: seedOf(stranger), attemptMs: 300 });
  await t.rejects(refused.next('edge-1', null, now), { code: 'EDW_ERR_STORE_REFUSED' });
});

t.test('only addresses of nodes are taken, and never repeated when they are not', async (t) => {
  const options = { credentials: { kind: 'password', user: 'u', password: 'p' }, points: ['edge-1'], logger } as const;
  const refused = [
    [],
    ['nats://nats.example:4222'],
    ['nats://10.0.0.1:4222'],
    ['nats://localhost:4222'],
    ['nats://2130706433:4222'],
    ['tls://169.254.169.254:4222'],
    ['tls://0.0.0.0:4222'],
    ['tls://[fe80::1]:4222'],
    ['tls://user:s3cret@nats.example:4222'],
    ['tls://nats.example:4222/s3cret'],
    ['tls://nats.example:4222?s3cret'],
    ['https://nats.example:4222'],
    ['ws://127.0.0.1:4222'],
    ['tls://nats.example:4222', 'nats://127.0.0.1:4222'],
    ['nonsense'],
  ];
  for (const urls of refused)
    t.throws(
      () => createNatsTransport({ ...options, urls }),
      { code: 'EDW_ERR_NATS_URL', message: /^(?!.*(s3cret|example)).*$/s, mend: /tls:\/\// },
      urls.join(' '),
    );
});

async function newsOf(transport: Transport, hop: LastHop): Promise<unknown> {
  const news = await transport.next('edge-1', cursorOf(heldBy(hop)), { waitMs: 1_000, signal }).catch(() => null);
  return news?.state === 'unchanged' ? null : news;
}

/** Bounded: after 20 s whatever is asked afterwards fails by itself. */
async function until(isSo: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 400 && !isSo(); attempt += 1) await new Promise((resolve) => setTimeout(resolve, 50));
}

function reportOf(point: string, revision: number): PointReport {
  return {
    typ: 'edgeward-report/1',
    point,
    at: '2026-11-22T12:00:00Z',
    service: 'sync-1',
    epoch: 1,
    revision,
    applied: revision,
    state: 'current',
    nack: null,
    witnessed: null,
    contradicted: false,
    denials: { total: 0, sinceMs: 0 },
  };
}
