/** `store` in edgeward.yaml: which ways to a store there are, what each needs, and that clear text crosses no network. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHttpsTransport, type TlsTexts } from '@edgeward/policy-feed';
import { createLogger, EdgewardError, type Logger } from '@edgeward/runtime';
import { createSignedWorld, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import type { StoreConfig } from '../src/config.ts';
import { loadServiceConfig } from '../src/index.ts';
import { renewIdentity } from '../src/store/identity-renewal.ts';
import { openTransport, readPinnedRoot } from '../src/store/open-transport.ts';

const logger = createLogger({ level: 'silent' });

async function load(t: Test, store: object): Promise<{ dir: string; store: StoreConfig }> {
  const dir = t.testdir({ 'edgeward.yaml': JSON.stringify({ store }) });
  const config = await loadServiceConfig({ file: join(dir, 'edgeward.yaml'), env: {} });
  if (config.store === null) throw new Error('there is no store');
  return { dir, store: config.store };
}

async function codeOf(run: () => Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await run();
  } catch (thrown) {
    if (thrown instanceof EdgewardError && thrown.mend !== '') return thrown;
    throw thrown;
  }
  throw new Error('nothing was refused');
}

const https = { urls: ['https://store.example:9443'], rootFile: 'root.json' };
const files = { certFile: 'a.pem', keyFile: 'a-key.pem', caFile: '/etc/ca.pem' };

t.test('paths are relative to the file, and nothing but the address and the root has to be said', async (t) => {
  const { dir, store } = await load(t, { ...https, ...files });
  t.strictSame(store, {
    urls: ['https://store.example:9443'],
    rootFile: join(dir, 'root.json'),
    certFile: join(dir, 'a.pem'),
    keyFile: join(dir, 'a-key.pem'),
    caFile: '/etc/ca.pem',
    credentialsFile: null,
    mirrors: [],
    pollMs: 10_000,
    inventory: true,
  });
  t.match((await load(t, { urls: ['file:///srv/mirror'], rootFile: 'r', pollSeconds: 5, inventory: false })).store, {
    pollMs: 5_000,
    inventory: false,
  });
});

const refused: Record<string, { store: object; path: RegExp }> = {
  'no address': { store: { urls: [], rootFile: 'r' }, path: /store\.urls/ },
  'no root': { store: { urls: ['file:///srv/mirror'] }, path: /store\.rootFile/ },
  'clear text': { store: { urls: ['http://store.example:9443'], rootFile: 'r', ...files }, path: /store\.urls/ },
  'https without certificates': { store: https, path: /store\.certFile/ },
  'a certificate without its key': {
    store: { urls: ['tls://nats.example:4222'], rootFile: 'r', certFile: 'a.pem' },
    path: /store\.keyFile/,
  },
  'two kinds at once': {
    store: { ...files, ...https, urls: [...https.urls, 'file:///srv/mirror'] },
    path: /store\.urls/,
  },
  'two stores': { store: { ...files, ...https, urls: ['https://a:1', 'https://b:1'] }, path: /store\.urls/ },
  'a mirror in clear text': { store: { ...files, ...https, mirrors: ['http://cdn.example'] }, path: /store\.mirrors/ },
  'a key that there is not': { store: { ...files, ...https, token: 'x' }, path: /store\.token|store/ },
  'too much haste': { store: { ...files, ...https, pollSeconds: 1 }, path: /store\.pollSeconds/ },
};

for (const [name, { store, path }] of Object.entries(refused))
  t.test(`${name} is refused, with its path`, async (t) => {
    const { code, message } = await codeOf(() => load(t, store));
    t.equal(code, 'EDW_ERR_CONFIG');
    t.match(message, path);
  });

t.test('the pinned root is read whole; whether it is believed is not decided here', async (t) => {
  const { dir, store } = await load(t, { urls: ['file:///srv/mirror'], rootFile: 'root.json' });
  for (const text of [null, '', '{', '{"payload":"AA"}', '[]']) {
    if (text !== null) await writeFile(join(dir, 'root.json'), text);
    const { code, message } = await codeOf(() => readPinnedRoot(store));
    t.equal(code, 'EDW_ERR_CONFIG');
    t.match(message, /store\.rootFile: reading .*root\.json/);
  }
  const { pinned } = await createSignedWorld();
  await writeFile(join(dir, 'root.json'), JSON.stringify(pinned));
  t.strictSame(await readPinnedRoot(store), pinned);
});

t.test('each kind of address has its way, and files that are not there are named', async (t) => {
  const { store } = await load(t, { urls: ['file:///srv/mirror'], rootFile: 'r' });
  const transport = await openTransport(store, ['edge-1'], logger);
  t.match(transport, { name: 'file:/srv/mirror', report: null });
  await transport.close();
  const missing = await load(t, { ...https, ...files });
  t.match(await codeOf(() => openTransport(missing.store, ['edge-1'], logger)), {
    code: 'EDW_ERR_CONFIG',
    message: /store\.caFile: reading \/etc\/ca\.pem/,
  });
  const nats = await load(t, { urls: ['nats://10.0.0.1:4222'], rootFile: 'r', credentialsFile: 'user' });
  t.match((await codeOf(() => openTransport(nats.store, ['edge-1'], logger))).code, /^EDW_ERR_SECRET/);
  await writeFile(join(nats.dir, 'user'), 'edge-1:secret\n', { mode: 0o600 });
  t.equal((await codeOf(() => openTransport(nats.store, ['edge-1'], logger))).code, 'EDW_ERR_NATS_URL', 'clear text');
});

t.test('a renewed pair is used once it is whole, and what can not be used is told of once', async (t) => {
  const certificates = await testCertificates(t.testdir());
  const [own, next] = [await certificates.point('edge-1'), await certificates.point('edge-1')];
  const read = async (): Promise<TlsTexts> => {
    const [ca, cert, key] = await Promise.all(
      [own.caFile, own.certFile, own.keyFile].map((it) => readFile(it, 'utf8')),
    );
    return { ca: ca ?? '', cert: cert ?? '', key: key ?? '' };
  };
  const events: string[] = [];
  const note = ({ event }: { event: string }) => void events.push(event);
  const held = await read();
  const transport = createHttpsTransport({ url: 'https://127.0.0.1:1', tls: held, logger });
  t.teardown(() => transport.close());
  const renewal = renewIdentity({ transport, held, read, logger: { ...logger, info: note, error: note } as Logger });
  t.teardown(() => renewal.close());
  const looks = async (): Promise<string[]> => {
    events.length = 0;
    for (let n = 0; n < 3; n += 1) await renewal.look();
    return [...events];
  };
  t.strictSame(await looks(), [], 'nothing changed');
  await copyFile(next.certFile, own.certFile);
  t.strictSame(await looks(), ['store_tls_reload_failed'], 'half of it');
  await copyFile(next.keyFile, own.keyFile);
  t.strictSame(await looks(), ['store_tls_reloaded'], 'all of it');
  await writeFile(own.caFile, '');
  t.strictSame(await looks(), ['store_tls_reload_failed'], 'no authority');
  await writeFile(own.caFile, held.ca);
  t.strictSame(await looks(), [], 'what is in use is there again');
  await copyFile(next.keyFile, own.caFile);
  renewal.close();
  t.strictSame(await looks(), [], 'it is over');
});
