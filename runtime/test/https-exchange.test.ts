/** One request and its answer, against a real server with certificates: whom it believes, and what it never takes in. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { closeServer } from '../../test/kit/close-server.ts';
import {
  EdgewardError,
  type ExchangeFailures,
  type HttpsAnswer,
  type HttpsAsked,
  httpsExchange,
} from '../src/index.ts';
import { authority } from './fixtures/authority.ts';

const ours = await authority('ours');
const theirs = await authority('theirs');
const good = await ours.sign('server');
const client = await ours.sign('client');
const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
const mend = '';

const failures: ExchangeFailures = {
  unreachable: (_url, why, cause) => new EdgewardError('X_UNREACHABLE', why, { mend, cause }),
  badAnswer: (_url, why) => new EdgewardError('X_BAD_ANSWER', why, { mend }),
};

async function serverOf(t: Test, pair: { cert: string; key: string }): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer({ ...pair, ca: ours.cert, requestCert: true }, (request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    if (path === '/there') response.writeHead(302, { location: '/secret' }).end();
    else if (path === '/bomb') response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    else if (path === '/no-gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end('hello');
    else if (path === '/half') response.writeHead(200, { 'content-length': '100' }).write('half');
    else if (path !== '/silence') response.end(path);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => closeServer(server));
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const ask = (url: string, more: Partial<HttpsAsked> = {}): Promise<HttpsAnswer> => {
  const tls = { ca: ours.cert, cert: client.cert, key: client.key };
  return httpsExchange({ url, method: 'GET', tls, agent: false, timeoutMs: 5_000, maxBytes: 1_000, ...more }, failures);
};

t.test('an answer is whole, and a redirect is an answer', async (t) => {
  const { url, asked } = await serverOf(t, good);
  t.match(await ask(`${url}/a`), { status: 200, remote: '127.0.0.1', body: Buffer.from('/a') });
  t.match(await ask(`${url}/there`), { status: 302 });
  t.strictSame(asked, ['/a', '/there'], 'nobody was sent where it led');
});

t.test('what is too much, is cut off or never comes is no answer', async (t) => {
  const { url } = await serverOf(t, good);
  const table: [path: string, code: string, more?: Partial<HttpsAsked>][] = [
    ['/bomb', 'X_BAD_ANSWER'],
    ['/no-gzip', 'X_BAD_ANSWER'],
    ['/half', 'X_UNREACHABLE', { timeoutMs: 100 }],
    ['/silence', 'X_UNREACHABLE', { timeoutMs: 100 }],
    ['/silence', 'X_UNREACHABLE', { signal: AbortSignal.abort() }],
  ];
  for (const [path, code, more] of table) await t.rejects(ask(`${url}${path}`, more), { code }, `${path} ${code}`);
});

t.test('nobody is believed without the named authority, whatever the environment says', async (t) => {
  const stranger = await serverOf(t, await theirs.sign('server'));
  await t.rejects(ask(`${stranger.url}/a`), { code: 'X_UNREACHABLE' });
  t.teardown(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  await t.rejects(ask(`${stranger.url}/a`), { code: 'X_UNREACHABLE' });
  t.strictSame(stranger.asked, []);
});
