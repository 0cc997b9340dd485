import { once } from 'node:events';
import { utimesSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import {
  createLogger,
  failure,
  type HttpRoute,
  openTlsServer,
  type TlsRequest,
  type TlsServer,
  type TlsServerOptions,
} from '../src/index.ts';
import { type Authority, authority, type Pair, writeTlsFiles } from './fixtures/authority.ts';

const ours = await authority('ours');
const theirs = await authority('theirs');
const server = await ours.sign('server');
const client = await ours.sign('client');
const large = 'label policy '.repeat(1_000);

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

type Ask = RequestOptions & { body?: string | Buffer };

function ask(at: TlsServer, path: string, who: Pair | null, { body, ...more }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const credentials = who === null ? {} : { cert: who.cert, key: who.key };
    const options = { ca: ours.cert, agent: false, ...credentials, ...more };
    const sent = request(at.url + path, options, async (response) => {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of response) chunks.push(chunk);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      } catch (thrown) {
        reject(thrown);
      }
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function held({ signal }: TlsRequest): Promise<{ status: number; empty: true }> {
  return new Promise((resolve) => {
    const end = (): void => resolve({ status: 204, empty: true });
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

async function* ticks(): AsyncGenerator<{ event: string; data: unknown }> {
  yield { event: 'hint', data: { point: 'edge-1' } };
  await new Promise(() => {});
}

const routes: HttpRoute<TlsRequest>[] = [
  { method: 'GET', path: '/who', handle: ({ peer }) => ({ json: { subject: peer.subject } }) },
  { method: 'GET', path: '/held', handle: held },
  { method: 'GET', path: '/events', handle: () => ({ events: ticks() }) },
  { method: 'GET', path: '/nothing', handle: () => ({ status: 204, empty: true }) },
  { method: 'GET', path: '/there', handle: () => ({ status: 303, empty: true, headers: { location: '/who' } }) },
  {
    method: 'GET',
    path: '/bytes/:size',
    handle: ({ params }) => ({
      bytes: Buffer.from(params.size === 'large' ? large : 'few'),
      contentType: 'application/octet-stream',
      etag: `of-${params.size}`,
      headers: { 'cache-control': 'private, max-age=31536000, immutable' },
    }),
  },
  { method: 'POST', path: '/body', handle: ({ bytes }) => ({ json: { bytes: bytes.length } }), maxBodyBytes: 1_000 },
];

type Options = Partial<TlsServerOptions<HttpRoute<TlsRequest>>>;

async function open(t: Test, more: Options = {}): Promise<TlsServer> {
  const opened = await openTlsServer({
    host: '127.0.0.1',
    port: 0,
    files: more.files ?? writeTlsFiles(t.testdir({}), server, ours),
    routes,
    logger: createLogger({ level: 'silent' }),
    ...more,
  });
  t.teardown(() => opened.close());
  return opened;
}

t.test('nobody without a certificate of the named authority gets an answer', async (t) => {
  let refused = 0;
  const at = await open(t, { onHandshakeFailed: () => (refused += 1) });
  const sameName: Authority = await authority('ours');
  const strangers: [name: string, asking: () => Promise<unknown>][] = [
    ['no certificate', () => ask(at, '/who', null)],
    ['no certificate, TLS 1.2', () => ask(at, '/who', null, { maxVersion: 'TLSv1.2' })],
    ['another authority', async () => ask(at, '/who', await theirs.sign('client'))],
    ['an authority of the same name', async () => ask(at, '/who', await sameName.sign('client'))],
    ['a certificate that has ended', async () => ask(at, '/who', await ours.sign('client', new Date(0)))],
    ['TLS 1.1', () => ask(at, '/who', client, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' })],
  ];
  for (const [name, asking] of strangers) await t.rejects(asking(), name);
  t.match(String((await ask(at, '/who', client)).body), /CN=client/);
  t.match(await ask(at, '/who', client, { maxVersion: 'TLSv1.2' }), { status: 200 });
  const clear = httpRequest(`http://127.0.0.1:${at.port}/who`);
  clear.end();
  const answer = await Promise.race([once(clear, 'response'), once(clear, 'error')]).catch((thrown) => [thrown]);
  t.type(answer[0], Error, 'clear text');
  t.ok(refused >= strangers.length - 1, 'handshakes that failed were told');
});

t.test(
  'HTTP/1.1 is spoken to whoever names it among others, or names nothing, and who names others only is refused',
  async (t) => {
    const at = await open(t);
    const credentials = { host: '127.0.0.1', port: at.port, ca: ours.cert, cert: client.cert, key: client.key };
    async function agreedOn(
      maxVersion: 'TLSv1.2' | 'TLSv1.3',
      ALPNProtocols?: string[],
    ): Promise<TLSSocket['alpnProtocol']> {
      const socket = connect({ ...credentials, maxVersion, ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }) });
      await once(socket, 'secureConnect').finally(() => socket.destroy());
      return socket.alpnProtocol;
    }
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      t.equal(await agreedOn(version, ['h2', 'http/1.1']), 'http/1.1', version);
      t.equal(await agreedOn(version), false, version);
      await t.rejects(agreedOn(version, ['h2', 'http/1.0']), version);
    }
  },
);

t.test('where TLS 1.3 is asked for, nothing older is spoken, also after the files were read again', async (t) => {
  const files = writeTlsFiles(t.testdir({}), server, ours);
  const at = await open(t, { files, minVersion: 'TLSv1.3' });
  for (const when of ['before', 'after']) {
    await t.rejects(ask(at, '/who', client, { maxVersion: 'TLSv1.2' }), when);
    t.match(await ask(at, '/who', client), { status: 200 }, when);
    utimesSync(files.certFile, 1, 1);
    await at.reload();
  }
});

t.test('an answer has its coding, its ETag and its life in caches', async (t) => {
  const at = await open(t);
  const gzip = { 'accept-encoding': 'gzip' };
  const plain = await ask(at, '/bytes/large', client);
  t.match(plain.headers, { etag: '"of-large"', vary: 'accept-encoding', 'cache-control': /immutable/ });
  t.equal(plain.headers['content-encoding'], undefined);
  const coded = await ask(at, '/bytes/large', client, { headers: gzip });
  t.match(coded.headers, { etag: '"of-large-gzip"', 'content-encoding': 'gzip', vary: 'accept-encoding' });
  t.equal(gunzipSync(coded.body).toString(), large);
  t.ok(coded.body.length < plain.body.length / 4);
  const table: { name: string; path: string; headers: Record<string, string>; status: number; coding?: string }[] = [
    { name: 'too small to code', path: '/bytes/few', headers: gzip, status: 200 },
    { name: 'refused coding', path: '/bytes/large', headers: { 'accept-encoding': 'gzip;q=0, br' }, status: 200 },
    {
      name: 'preferred coding',
      path: '/bytes/large',
      headers: { 'accept-encoding': 'br, gzip;q=0.5' },
      status: 200,
      coding: 'gzip',
    },
    { name: 'known plain', path: '/bytes/large', headers: { 'if-none-match': '"of-large"' }, status: 304 },
    {
      name: 'known coded',
      path: '/bytes/large',
      headers: { 'if-none-match': '"of-large-gzip"', ...gzip },
      status: 304,
    },
    { name: 'known weakly', path: '/bytes/few', headers: { 'if-none-match': '"x", W/"of-few"' }, status: 304 },
    { name: 'any', path: '/bytes/few', headers: { 'if-none-match': '*' }, status: 304 },
    { name: 'another', path: '/bytes/few', headers: { 'if-none-match': '"of-few2"' }, status: 200 },
    { name: 'not quoted', path: '/bytes/few', headers: { 'if-none-match': 'of-few' }, status: 200 },
    { name: 'without an ETag', path: '/who', headers: { 'if-none-match': '*' }, status: 200 },
  ];
  for (const { name, path, headers, status, coding } of table) {
    const answer = await ask(at, path, client, { headers });
    t.equal(answer.status, status, name);
    t.equal(answer.headers['content-encoding'], coding, `${name}: coding`);
    if (status === 304) t.match(answer, { body: { length: 0 }, headers: { 'cache-control': /immutable/ } }, name);
  }
  for (const path of ['/who', '/nothing', '/there', '/bytes'])
    t.equal((await ask(at, path, client)).headers['cache-control'], 'no-store', `${path} is kept nowhere`);
  t.match(await ask(at, '/there', client), { status: 303, headers: { location: '/who' } });
  t.match(await ask(at, '/nothing', client), { status: 204, body: { length: 0 } });
});

t.test('who is not admitted is told so before the body comes, and every failure is told once', async (t) => {
  const failures: string[] = [];
  const at = await open(t, {
    admit: ({ path, peer, route }) =>
      path === '/body' && peer.subject === 'CN=other'
        ? failure(403, 'EDW_ERR_TEST', `not ${route?.method}`, 'Ask.')
        : null,
    onFailure: async ({ path, peer }, { error }) => void failures.push(`${peer?.subject} ${path} ${error.code}`),
  });
  const other = await ours.sign('other');
  const post = { method: 'POST', body: 'x'.repeat(1_000) };
  const announced = { 'content-length': 900_000_000 };
  t.equal(String((await ask(at, '/body', client, post)).body), '{"bytes":1000}\n');
  const refusedEarly = await ask(at, '/body', other, { ...post, headers: announced }).catch((thrown) => thrown);
  t.match(refusedEarly, { status: 403, headers: { connection: 'close' } });
  const tooLarge = await ask(at, '/body', client, { ...post, headers: announced }).catch((thrown) => thrown);
  t.match(tooLarge, { status: 413, headers: { connection: 'close' } });
  const chunked = { method: 'POST', body: 'x'.repeat(1_001), headers: { 'transfer-encoding': 'chunked' } };
  t.match(await ask(at, '/body', client, chunked), { status: 413 });
  t.match(await ask(at, '/none', client), { status: 404 });
  t.match(await ask(at, '/who', client, { method: 'POST' }), { status: 405, headers: { allow: 'GET' } });
  t.strictSame(failures, [
    'CN=other /body EDW_ERR_TEST',
    'CN=client /body EDW_ERR_HTTP_BODY_TOO_LARGE',
    'CN=client /body EDW_ERR_HTTP_BODY_TOO_LARGE',
    'CN=client /none EDW_ERR_HTTP_NOT_FOUND',
    'CN=client /who EDW_ERR_HTTP_METHOD',
  ]);
});

t.test('every request is over once, however it ends, and not before its route is done with it', async (t) => {
  const known: object[] = [];
  const over: object[] = [];
  const working: (() => void)[] = [];
  const at = await open(t, {
    routes: [
      ...routes,
      { method: 'GET', path: '/broken', handle: () => Promise.reject(new Error('a bug')) },
      {
        method: 'GET',
        path: '/working',
        handle: () => new Promise((resolve) => working.push(() => resolve({ status: 204, empty: true }))),
      },
    ],
    admit: ({ path, headers }) => {
      known.push(headers);
      return path === '/there' ? failure(403, 'EDW_ERR_TEST', 'not you', 'Ask.') : null;
    },
    onOver: (headers) => over.push(headers),
  });
  const table: [path: string, status: number, more?: Ask][] = [
    ['/who', 200],
    ['/body', 200, { method: 'POST', body: 'x' }],
    ['/body', 413, { method: 'POST', body: 'x'.repeat(1_001) }],
    ['/there', 403],
    ['/none', 404],
    ['/broken', 500],
  ];
  for (const [path, status, more] of table) {
    t.equal((await ask(at, path, client, more)).status, status, path);
    t.strictSame([over.length, over.at(-1) === known.at(-1)], [known.length, true], path);
  }
  const beginnings: Record<string, string> = {
    'in its body': 'POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nx',
    'in a long poll': 'GET /held HTTP/1.1\r\nHost: x\r\n\r\n',
    'in a stream': 'GET /events HTTP/1.1\r\nHost: x\r\n\r\n',
    'in its work': 'GET /working HTTP/1.1\r\nHost: x\r\n\r\n',
  };
  for (const [name, bytes] of Object.entries(beginnings)) {
    const before = known.length;
    const socket = connect({ host: '127.0.0.1', port: at.port, ca: ours.cert, ...client });
    t.teardown(() => socket.destroy());
    await once(socket, 'secureConnect');
    socket.write(bytes);
    await until(() => known.length > before && (name !== 'in its work' || working.length > 0));
    t.equal(over.length, before, `${name}: begun`);
    socket.destroy();
    await until(() => at.connections() === 0);
    if (name === 'in its work') {
      t.equal(over.length, before, `${name}: the route has not ended`);
      for (const goOn of working) goOn();
    }
    await until(() => over.length > before);
    t.equal(over.at(-1), known.at(-1), name);
  }
});

t.test('a long poll and a stream end in order when the server closes', async (t) => {
  let asked = 0;
  const admit = (): null => {
    asked += 1;
    return null;
  };
  const at = await open(t, { closeGraceMs: 20_000, admit });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const polls = Array.from({ length: 20 }, () => ask(at, '/held', client, { agent }));
  const stream = ask(at, '/events', client);
  await until(() => asked >= 21);
  await at.close();
  for (const { status } of await Promise.all(polls)) t.equal(status, 204);
  t.equal(String((await stream).body), 'event: hint\ndata: {"point":"edge-1"}\n\n');
});

t.test('a connection before its handshake holds up no close, and sees no authority that was replaced', async (t) => {
  const reasons: string[] = [];
  const dir = t.testdir({});
  const files = writeTlsFiles(dir, server, ours);
  const at = await open(t, { files, closeGraceMs: 50, onHandshakeFailed: (reason) => reasons.push(reason) });
  const silent = async (who: Pair): Promise<() => Promise<void>> => {
    const socket = connectPlain(at.port, '127.0.0.1');
    const over = new Promise<void>((resolve) => socket.on('error', () => {}).once('close', () => resolve()));
    await once(socket.resume(), 'connect');
    // The server has it when it has answered one that came later.
    await ask(at, '/who', who);
    return () => over;
  };
  const beforeAuthority = await silent(client);
  writeTlsFiles(dir, server, theirs);
  await at.reload();
  await beforeAuthority();
  const beforeClose = await silent(await theirs.sign('client'));
  await at.close();
  await beforeClose();
  t.notOk(reasons.includes('ERR_TLS_HANDSHAKE_TIMEOUT'), 'it was cut, not waited for');
});

t.test('a client that is slow with its request is cut off', async (t) => {
  const at = await open(t, { requestTimeoutMs: 1_000 });
  const socket = connect({ host: '127.0.0.1', port: at.port, ca: ours.cert, ...client });
  socket.write('POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nx');
  await closed(socket);
  const silent = connectPlain(at.port, '127.0.0.1');
  await once(silent, 'connect');
  await new Promise((resolve) =>
    silent
      .resume()
      .on('error', () => {})
      .once('close', resolve),
  );
  await until(() => at.connections() === 0);
});

t.test('one certificate has a share of the connections only', async (t) => {
  const at = await open(t, { maxConnectionsPerPeer: () => 2 });
  const sockets = [1, 2, 3].map(() => connect({ host: '127.0.0.1', port: at.port, ca: ours.cert, ...client }));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.on('error', () => {});
  await Promise.race(sockets.map(closed));
  t.match(await ask(at, '/who', await ours.sign('other')), { status: 200 });
});

t.test('certificates are read again; another authority closes every connection', async (t) => {
  const dir = t.testdir({});
  const files = writeTlsFiles(dir, server, ours);
  const at = await open(t, { files });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const held = ask(at, '/held', client, { agent });
  await until(() => at.connections() >= 1);
  writeFileSync(files.certFile, 'nonsense');
  await t.rejects(at.reload(), { code: 'EDW_ERR_TLS' });
  t.match(await ask(at, '/who', client), { status: 200 }, 'what was in use stays');
  writeTlsFiles(dir, await ours.sign('server-2'), theirs);
  await Promise.all([at.reload(), t.rejects(held, 'it was cut')]);
  await t.rejects(ask(at, '/who', client));
  t.match(await ask(at, '/who', await theirs.sign('client')), { status: 200 });
});

t.test('what can not be used is said before anything listens', async (t) => {
  const dir = t.testdir({});
  const opening = (change: (files: ReturnType<typeof writeTlsFiles>) => void): Promise<TlsServer> => {
    const files = writeTlsFiles(dir, server, ours);
    change(files);
    return open(t, { files });
  };
  const table: [name: string, code: string, change: Parameters<typeof opening>[0]][] = [
    ['a missing certificate', 'EDW_ERR_TLS', (files) => Object.assign(files, { certFile: `${dir}/none` })],
    ['the key of another', 'EDW_ERR_TLS', ({ keyFile }) => writeFileSync(keyFile, client.key)],
    ['no authority', 'EDW_ERR_TLS', ({ clientCaFile }) => writeFileSync(clientCaFile, 'nothing')],
    ['a key open to all', 'EDW_ERR_SECRET_FILE', (files) => Object.assign(files, { keyFile: files.certFile })],
  ];
  for (const [name, code, change] of table) await t.rejects(opening(change), { code }, name);
});

function closed(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) =>
    socket
      .resume()
      .on('error', () => {})
      .once('close', () => resolve()),
  );
}

async function until(holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3_000; attempt += 1) {
    if (holds()) return;
    await sleep(10);
  }
  throw new Error('what was waited for did not come within 30 s');
}
