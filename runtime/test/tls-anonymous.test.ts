import { request } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import {
  type AnonymousRequest,
  type AnonymousTlsOptions,
  createLogger,
  failure,
  type HttpRoute,
  neighbourhoodOf,
  openAnonymousTlsServer,
  type TlsServer,
} from '../src/index.ts';
import { authority, writeTlsFiles } from './fixtures/authority.ts';

const ours = await authority('ours');
const theirs = await authority('theirs');
const server = await ours.sign('server');
const client = await ours.sign('client');

const routes: HttpRoute<AnonymousRequest>[] = [
  { method: 'POST', path: '/who', handle: ({ remote, text }) => ({ json: { remote, text } }), maxBodyBytes: 100 },
];

type Options = Partial<AnonymousTlsOptions<HttpRoute<AnonymousRequest>>>;

async function open(t: Test, more: Options = {}): Promise<TlsServer> {
  const opened = await openAnonymousTlsServer({
    host: '127.0.0.1',
    port: 0,
    files: writeTlsFiles(t.testdir({}), server, ours),
    routes,
    logger: createLogger({ level: 'silent' }),
    ...more,
  });
  t.teardown(() => opened.close());
  return opened;
}

function ask(at: TlsServer, body: string, more: object = {}): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${at.url}/who`,
      { method: 'POST', ca: ours.cert, agent: false, ...more },
      async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

t.test('whoever has no certificate is served, and believes the server by its own', async (t) => {
  const at = await open(t);
  t.match(await ask(at, 'hello'), { status: 200, text: /127\.0\.0\.1.*hello/ });
  t.match(await ask(at, 'hello', { cert: client.cert, key: client.key }), { status: 200 }, 'one that has one, too');
  await t.rejects(ask(at, 'hello', { ca: theirs.cert }), 'a server of another authority is not believed');
  await t.rejects(ask(at, 'hello', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }), 'nor is old TLS spoken');
  t.match(await ask(at, 'x'.repeat(200)), { status: 413 });
});

t.test('a server asks for no certificate, though the files name an authority of clients', async (t) => {
  const at = await open(t);
  const socket = connect({ host: '127.0.0.1', port: at.port, ca: ours.cert, cert: client.cert, key: client.key });
  t.teardown(() => socket.destroy());
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  t.match(await ask(at, 'a'), { status: 200 });
});

t.test('who may not is told before the body is read', async (t) => {
  const refused = failure(429, 'EDW_ERR_TEST', 'too often', 'Wait.');
  const at = await open(t, { admit: ({ path, remote }) => (path === '/who' && remote !== '' ? refused : null) });
  t.match(await ask(at, 'a'), { status: 429, text: /EDW_ERR_TEST/ });
});

t.test('one address holds few connections, also such as never begin a handshake', async (t) => {
  const at = await open(t, { maxConnectionsPerRemote: 3 });
  const sockets: Socket[] = [];
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let i = 0; i < 3; i += 1) {
    const socket = connectPlain(at.port, '127.0.0.1');
    sockets.push(socket);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  }
  await t.rejects(ask(at, 'a'), 'the fourth is closed');
  const gone = new Promise((resolve) => sockets[0]?.once('close', resolve));
  sockets[0]?.destroy();
  await gone;
  let status = 0;
  for (let tries = 0; tries < 50 && status !== 200; tries += 1)
    status = (await ask(at, 'a').catch(() => ({ status: 0 }))).status;
  t.equal(status, 200, 'when one has gone there is room');
});

const places: Record<string, string> = {
  '192.0.2.7': '192.0.2.7',
  '::ffff:192.0.2.7': '192.0.2.7',
  '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
  '2001:DB8:1:2::1': '2001:db8:1:2::/64',
  '2001:db8::1': '2001:db8:0:0::/64',
  '::1': '0:0:0:0::/64',
  'fe80::1%eth0': 'fe80:0:0:0::/64',
  '2001:db8:1:2:3:4:192.0.2.7': '2001:db8:1:2::/64',
  '': '',
  unknown: 'unknown',
};

t.test('addresses that one machine has for the asking are one neighbour', async (t) => {
  for (const [address, expected] of Object.entries(places)) t.equal(neighbourhoodOf(address), expected, address);
});
