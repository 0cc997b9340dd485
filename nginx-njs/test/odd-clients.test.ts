/**
 * Clients that are odd in the way they connect, not in what they ask: over a unix socket, with a zone in their address, with
 * a request inside a request, or gone before their answer. Whatever reaches the upstream was allowed, once for each time.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type NetConnectOpts } from 'node:net';
import { join } from 'node:path';
import { type DenyRecord, parseDenyLine } from '@edgeward/deny-log';
import { onEveryNginx, rawRequest, startUpstream } from '@edgeward/test/kit';
import t from 'tap';
import type { NginxPoint } from '../driver/index.ts';
import { ask, eventually, statusOf } from './fixtures/asking.ts';
import { smallPolicy } from './fixtures/policies.ts';

const EVERYBODY = ['0.0.0.0/0', '::/0'];
const GET = (path: string, ...headers: string[]): string =>
  `GET ${path} HTTP/1.1\r\n${['Host: shop.example', ...headers].join('\r\n')}\r\n\r\n`;
const LAST = GET('/v1/last', 'Connection: close');

const claim = await onEveryNginx(t);

claim('over a unix socket nobody has an address, and none but a believed proxy gives one', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front' }, { name: 'behind', bind: 'order-front' }] });
  const [plain, believed] = ['plain', 'believed'].map((name) => join(edge.paths.folder, `${name}.sock`));
  const realip = 'set_real_ip_from unix:; real_ip_header X-Real-IP;';
  await edge.configure({
    servers: [
      { name: 'order-front', extra: `listen unix:${plain};` },
      { name: 'behind', bind: 'order-front', extra: `listen unix:${believed}; ${realip}` },
    ],
  });
  await edge.restart();
  await edge.point().apply(smallPolicy({ revision: 1, allow: EVERYBODY }));
  const said = GET('/', 'X-Real-IP: 198.51.100.7', 'Connection: close');
  t.match(await over({ path: plain ?? '' }, said), /^HTTP\/1.1 403 /, 'also where a rule names every address');
  t.match(await edge.denials(), [{ source: null, peer: null, reason: 'unknown-source' }]);
  t.match(await over({ path: believed ?? '' }, said), /^HTTP\/1.1 200 /);
  t.match(await over({ path: believed ?? '' }, LAST), /^HTTP\/1.1 403 /, 'a believed proxy that says nothing');
  t.equal((await edge.denials()).length, 2);
});

claim('no client makes a line that nobody reads', async (t, on) => {
  const extra = 'large_client_header_buffers 4 128k;';
  const servers = [{ name: 'tenants', bind: '$http_x_tenant', foldAfter: 1, foldSeconds: 1, extra }];
  const edge = await on.startEdge(t, { servers });
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: EVERYBODY }));
  const tenant = `X-Tenant: ${'\u{1f310}'.repeat(1500)}`;
  const bytes = `GET / HTTP/1.1\r\nHost: ${'a'.repeat(70_000)}\r\n${tenant}\r\nConnection: close\r\n\r\n`;
  const statuses: number[] = [];
  for (let n = 0; n < 4; n += 1) statuses.push((await rawRequest({ port: edge.port, bytes })).status);
  t.strictSame(statuses, [403, 403, 403, 403]);
  const records = async (): Promise<DenyRecord[]> => {
    const lines = (await readFile(edge.paths.denyLog, 'utf8')).trim().split('\n');
    return lines.flatMap((line) => parseDenyLine(Buffer.from(line)).records);
  };
  const told = async (): Promise<number> => (await records()).reduce((sum, { count }) => sum + (count ?? 1), 0);
  t.ok(await eventually(async () => (await told()) === 4), 'each of them is told');
  const [{ bind, total } = { bind: '', total: 0 }] = (await point.counts()).counts;
  t.strictSame([bind, total], [(await records())[0]?.object, 4], 'under the name that it is counted by');
});

claim('an address with a zone is no address: who connects counts', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', spoof: true }] });
  const peer = '127.0.0.1';
  await edge.point().apply(smallPolicy({ revision: 1, allow: ['fe80::/10'] }));
  for (const zone of ['fe80::1%eth0', 'fe80::1%25eth0', '[fe80::1%eth0]', 'fe80::1%']) {
    t.equal(await statusOf(edge, { headers: [`X-Test-Source: ${zone}`] }), 403, zone);
    t.match((await edge.denials()).at(-1), { source: peer, peer, reason: 'unknown-source' }, zone);
  }
  t.equal(await statusOf(edge, { headers: ['X-Test-Source: fe80::1'] }), 200, 'without one it is');
});

claim('a request inside a request is a body, or refused: the upstream sees what was allowed', async (t, on) => {
  const upstream = await startUpstream(t);
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', upstream: upstream.url }] });
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'], http: [{ path: '/v1/*' }] }));
  const inner = GET('/v2/hidden');
  const post = (...headers: string[]): string =>
    `POST /v1/a HTTP/1.1\r\n${['Host: shop.example', ...headers].join('\r\n')}\r\n\r\n`;
  const size = inner.length.toString(16);
  const table: [name: string, bytes: string, statuses: string, reached: number][] = [
    ['one after another', `${GET('/v1/a')}${GET('/v2/b')}${LAST}`, '200 403 200', 2],
    ['the denied one first', `${GET('/v2/b')}${LAST}`, '403 200', 1],
    ['in a body with a length', `${post(`Content-Length: ${inner.length}`)}${inner}${LAST}`, '200 200', 2],
    ['in a chunk', `${post('Transfer-Encoding: chunked')}${size}\r\n${inner}\r\n0\r\n\r\n${LAST}`, '200 200', 2],
    ['in a trailer', `${post('Transfer-Encoding: chunked')}0\r\n${inner.slice(0, -2)}\r\n${LAST}`, '200 200', 2],
    ['behind no length', `${post('Content-Length: 0')}${inner}${LAST}`, '200 403 200', 2],
    [
      'in the body of one that is denied',
      `POST /v2/a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${inner.length}\r\n\r\n${inner}${LAST}`,
      '403 200',
      1,
    ],
    ['two lengths', `${post('Content-Length: 0', `Content-Length: ${inner.length}`)}${inner}`, '400', 0],
    ['a length and chunks', `${post('Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n${inner}`, '400', 0],
    ['a coding nobody knows', `${post('Transfer-Encoding: xchunked')}${inner}`, '501', 0],
    ['two codings', `${post('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}0\r\n\r\n${inner}`, '400', 0],
    [
      'a chunk of a size that is too large',
      `${post('Transfer-Encoding: chunked')}fffffffffffffffff\r\n${inner}`,
      '400',
      0,
    ],
    ['a length with a sign', `${post('Content-Length: +0')}${inner}`, '400', 0],
  ];
  for (const [name, bytes, statuses, reached] of table) {
    const before = [upstream.requests(), await counted(point, 'allow')] as const;
    const answer = await over({ host: '127.0.0.1', port: edge.port }, bytes);
    t.equal([...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]).join(' '), statuses, name);
    t.equal(upstream.requests() - before[0], reached, `${name}: what the upstream saw`);
    t.ok((await counted(point, 'allow')) - before[1] >= reached, `${name}: each of it was allowed`);
  }
});

claim('clients that are gone before their answer are judged once, and hurt nobody', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  const request = GET('/gone');
  const cuts = [1, 4, 20, request.length - 2, request.length];
  const clients = Array.from({ length: 100 }, (_, n) => ({
    localAddress: n % 2 === 0 ? '127.0.0.1' : '127.0.0.2',
    text: request.slice(0, cuts[n % cuts.length]),
  }));
  await Promise.all(clients.map(({ localAddress, text }) => sendAndGo(edge.port, localAddress, text)));
  const whole = clients.filter(({ text }) => text === request);
  const denied = whole.filter(({ localAddress }) => localAddress === '127.0.0.2').length;
  t.ok(await eventually(async () => (await edge.denials()).length === denied), `${denied} denials`);
  t.strictSame(
    [await counted(point, 'allow'), await counted(point, 'deny')],
    [whole.length - denied, denied],
    'each once',
  );
  t.strictSame([await statusOf(edge), (await ask(edge, { from: '127.0.0.2' })).status], [200, 403], 'and it goes on');
});

/** All that came back. */
async function over(to: NetConnectOpts, bytes: string): Promise<string> {
  const socket = connect(to);
  let answer = '';
  socket.setEncoding('latin1').on('data', (piece) => {
    answer += piece;
  });
  socket.setTimeout(20_000, () => socket.destroy(new Error(`no end after ${JSON.stringify(answer)}`)));
  socket.on('connect', () => socket.write(bytes, 'latin1'));
  await once(socket, 'close');
  return answer;
}

/** The kernel has all of it, and nobody reads the answer. */
async function sendAndGo(port: number, localAddress: string, text: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  await once(socket, 'connect');
  await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  socket.end();
  socket.on('error', () => {}).destroySoon();
  await once(socket, 'close');
}

async function counted(point: NginxPoint, verdict: string): Promise<number> {
  const { counts } = await point.counts();
  return counts.filter((one) => one.verdict === verdict).reduce((sum, { total }) => sum + total, 0);
}
