import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { cursorOf, type PointState } from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { testCertificates } from '../../test/kit/certificates.ts';
import { closeServer } from '../../test/kit/close-server.ts';
import { createLastHop } from '../../test/kit/signed-world.ts';
import { createHttpsTransport, type HttpsTransportOptions, type Transport } from '../src/index.ts';
import { NEVER } from './conformance/hop.ts';
import { thrownBy, until } from './conformance/patience.ts';
import { openSmallStore, type SmallStore } from './fixtures/small-store.ts';

const logger = createLogger({ level: 'silent' });

function transportTo(t: Test, store: SmallStore, options: Partial<HttpsTransportOptions> = {}): Transport {
  const transport = createHttpsTransport({ url: store.url, tls: store.tls, logger, callMs: 2_000, ...options });
  t.teardown(() => transport.close());
  return transport;
}

async function held(store: SmallStore): Promise<PointState> {
  const hop = createLastHop(store.world, store.point);
  return (await hop.take()).state;
}

t.test('a change costs one question, answered when it is there', async (t) => {
  const store = await openSmallStore(t);
  const transport = transportTo(t, store);
  const known = cursorOf(await held(store));
  const waiting = transport.next(store.point, known, { waitMs: 20_000, signal: NEVER });
  await until('it waits', () => store.asked.length >= 1);
  await store.change();
  store.wake();
  t.match(await waiting, { state: 'delta', delta: { from: known } });
  t.strictSame(store.asked, [`GET /v1/points/edge-1/delta?from=${known.epoch}.${known.revision}.${known.stateRoot}`]);
});

t.test('where there is no delta from here the head is asked for, and no redirect is followed', async (t) => {
  const store = await openSmallStore(t);
  const transport = transportTo(t, store);
  const known = cursorOf(await held(store));
  await store.change();
  const head = store.world.head(store.point);
  const ask = (from: typeof known) => transport.next(store.point, from, { waitMs: 5_000, signal: NEVER });
  t.match(await ask({ ...known, epoch: 9 }), { state: 'head', head }, '409: another epoch');
  store.tooOld = true;
  t.match(await ask(known), { state: 'head', head }, '303: too old');
  store.tooOld = false;
  store.withoutDeltas = true;
  t.match(await ask(known), { state: 'head', head }, '404: no deltas here');
  t.ok(store.asked.every((line) => line.startsWith('GET /v1/points/edge-1/')));
});

t.test('without deltas the head itself is waited for', async (t) => {
  const store = await openSmallStore(t);
  store.withoutDeltas = true;
  const transport = transportTo(t, store);
  await transport.next(store.point, null, { waitMs: 0, signal: NEVER });
  const waiting = transport.next(store.point, cursorOf(await held(store)), { waitMs: 20_000, signal: NEVER });
  await until('it waits', () => store.asked.length >= 3);
  await store.change();
  store.wake();
  t.match(await waiting, { state: 'head', head: store.world.head(store.point) });
  t.equal(store.asked.length, 3);
});

t.test('a head that was signed anew is news for a poll', async (t) => {
  const store = await openSmallStore(t);
  const transport = transportTo(t, store);
  const known = cursorOf(await held(store));
  const ask = () => transport.next(store.point, known, { waitMs: 0, signal: NEVER });
  t.equal((await ask()).state, 'head', 'nobody knows its tag yet');
  t.equal((await ask()).state, 'unchanged');
  await store.world.refresh();
  t.match(await ask(), { state: 'head', head: store.world.head(store.point) });
  t.equal((await ask()).state, 'unchanged');
});

t.test('both sides prove who they are', async (t) => {
  const store = await openSmallStore(t);
  const strangers = await testCertificates(t.testdir());
  const stranger = await strangers.point(store.point);
  const other = await store.certificates.point('edge-2');
  const ask = (tls: HttpsTransportOptions['tls'], url = store.url) =>
    transportTo(t, store, { tls, url }).next(store.point, null, { waitMs: 0, signal: NEVER });
  const cases = [
    {
      name: 'the store has a certificate of another authority',
      tls: { ...store.tls, ca: strangers.ca },
      wanted: /CERTIFICATE$/,
    },
    {
      name: 'ours is of another authority',
      tls: { ...store.tls, cert: stranger.cert, key: stranger.key },
      // With TLS 1.3 a server may hang up before its reason was read.
      wanted: /CERTIFICATE$|UNREACHABLE$/,
    },
  ];
  for (const { name, tls, wanted } of cases) {
    const { code } = await thrownBy(name, () => ask(tls));
    t.match(code, wanted, name);
  }
  t.equal(
    (await thrownBy('another point', () => ask({ ...store.tls, cert: other.cert, key: other.key }))).code,
    'EDW_ERR_STORE_REFUSED',
  );
  t.equal((await ask(store.tls)).state, 'head');
});

t.test('a certificate for another host, and TLS before 1.2, are refused', async (t) => {
  const certificates = await testCertificates(t.testdir());
  const own = await certificates.point('edge-1');
  const elsewhere = await certificates.server({ hosts: ['elsewhere.example'] });
  const good = await certificates.server();
  const servers = {
    'another host': { cert: elsewhere.cert, key: elsewhere.key },
    'TLS 1.1': {
      ...{ cert: good.cert, key: good.key },
      ...({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const),
    },
  };
  for (const [name, options] of Object.entries(servers)) {
    const asked: string[] = [];
    const server = createServer(options, (request, response) => {
      asked.push(request.url ?? '');
      response.end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const tls = { ca: certificates.ca, cert: own.cert, key: own.key };
    const transport = createHttpsTransport({ url, tls, logger, callMs: 2_000 });
    t.teardown(() => transport.close());
    const { code } = await thrownBy(name, () => transport.next('edge-1', null, { waitMs: 0, signal: NEVER }));
    t.match(code, /^EDW_ERR_STORE_(CERTIFICATE|UNREACHABLE)$/, `${name}: ${code}`);
    t.strictSame(asked, [], name);
  }
});

t.test('certificates and keys that are none are said to be none, and never repeated', async (t) => {
  const store = await openSmallStore(t);
  const other = await store.certificates.point('edge-2');
  const cases = [
    { ca: 'hunter2' },
    { cert: 'hunter2' },
    { key: 'hunter2' },
    { key: other.key },
    { ca: '-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----' },
  ];
  for (const change of cases) {
    const open = async () => createHttpsTransport({ url: store.url, tls: { ...store.tls, ...change }, logger });
    const { code, message } = await thrownBy(Object.keys(change).join(), open);
    t.equal(code, 'EDW_ERR_STORE_CERTIFICATE');
    t.notMatch(message, /hunter2/);
  }
});

t.test('what a store writes into an error does not move a cursor', async (t) => {
  const store = await openSmallStore(t);
  const transport = transportTo(t, store);
  const { message } = await thrownBy('edge-99', () => transport.next('edge-99', null, { waitMs: 0, signal: NEVER }));
  t.match(message, 'EDW_ERR_TEST: said [31m 403');
  t.notMatch(message, /\p{Cc}/u);
});

t.test('blobs come from mirrors first, without credentials, and are never believed', async (t) => {
  const store = await openSmallStore(t);
  const good = await store.certificates.server();
  const asked: { url: string; client: string }[] = [];
  let serve: (digest: string) => Buffer | null = () => null;
  const server = createServer({ cert: good.cert, key: good.key, requestCert: true, rejectUnauthorized: false });
  server.on('request', (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    asked.push({ url: request.url ?? '', client: JSON.stringify(subject ?? null) });
    const bytes = serve(String(request.url).split('/').at(-1) ?? '');
    response.statusCode = bytes === null ? 404 : 200;
    response.end(bytes ?? '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => closeServer(server));
  const mirror = `https://127.0.0.1:${(server.address() as AddressInfo).port}/edgeward`;
  const transport = transportTo(t, store, { mirrors: [mirror] });
  const { rules } = (await held(store)).head;
  const bytes = Buffer.from(store.world.blob(rules.digest) ?? '');
  const cases = {
    'it has the blob': { serve: () => bytes, storeAsked: 0 },
    'it has none': { serve: () => null, storeAsked: 1 },
    'it has other bytes': { serve: () => Buffer.from(bytes).fill(0x20, 5, 9), storeAsked: 1 },
    'it has too many bytes': { serve: () => Buffer.alloc(64 * 1024 * 1024), storeAsked: 1 },
  };
  for (const [name, { serve: how, storeAsked }] of Object.entries(cases)) {
    serve = how;
    store.asked.length = 0;
    t.strictSame(Buffer.from((await transport.blob(rules.digest, rules.bytes, NEVER)) ?? ''), bytes, name);
    t.equal(store.asked.length, storeAsked, name);
  }
  t.equal(asked.length, 4);
  t.ok(asked.every(({ url }) => url === `/edgeward/blobs/sha256/${rules.digest}`));
  t.ok(
    asked.every(({ client }) => client === 'null'),
    'no client certificate',
  );
  await closeServer(server);
  t.strictSame(Buffer.from((await transport.blob(rules.digest, rules.bytes, NEVER)) ?? ''), bytes, 'it is away');
});

t.test('hints come over one stream for all who listen, and it is opened again', async (t) => {
  const store = await openSmallStore(t);
  const transport = transportTo(t, store, { random: () => 0 });
  const hinted: string[] = [];
  const ends = ['edge-1', 'edge-1', 'edge-2'].map((point, at) =>
    transport.hints?.([point], (it) => void hinted.push(`${at} ${it}`)),
  );
  await until('the stream is open', () => store.asked.length >= 1);
  await until('a hint arrives', () => {
    store.wake();
    return hinted.length > 0;
  });
  t.strictSame([...new Set(hinted)].sort(), ['0 edge-1', '1 edge-1'], 'to those that it names');
  await store.cut();
  await store.heal();
  hinted.length = 0;
  await until('a hint arrives again', () => {
    store.wake();
    return hinted.length > 0;
  });
  t.ok(store.asked.every((line) => line === 'GET /v1/events'));
  for (const end of ends) end?.();
});
