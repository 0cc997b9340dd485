/**
 * What a user writes into a protected server, in mode live and hybrid, over HTTP/1.1 and HTTP/2: nothing of it lets in who is
 * denied, or judges a request twice.
 */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import type { CompiledPolicy } from '@edgeward/policy';
import { type Edge, type OnNginx, onEveryNginx, rawRequest } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { smallPolicy } from './fixtures/policies.ts';
import { rows, startBehind } from './fixtures/user-directives.ts';

const ALLOWED = '127.0.0.1';
const DENIED = '127.0.0.2';
const MODES = ['live', 'hybrid'] as const;

interface Answer {
  status: number;
  ref: string;
  body: string;
}

const claim = await onEveryNginx(t);

for (const mode of MODES) {
  claim(`nothing in a server or its locations opens what is denied: mode ${mode}`, async (t, on) => {
    const { edge, apply, reached, asks } = await startStand(t, on, mode);
    const paths = rows.flatMap(({ path }) => [path, path]);
    await apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
    const before = (await edge.denials()).length;
    const denied = await counted(edge, async () => {
      for (const { path } of rows)
        for (const ask of asks)
          t.match(await ask(DENIED, path), { status: 403, ref: /^[0-9a-f]{16}$/ }, `${path} is denied`);
    });
    t.strictSame(denied, { 'deny unknown-source': paths.length }, 'one verdict each');
    t.equal((await edge.denials()).length - before, paths.length, 'and one event');
    t.equal(reached(), 0, 'and nothing reached what is behind');

    const allowed = await counted(edge, async () => {
      for (const { path, seen } of rows)
        for (const ask of asks)
          t.match(await ask(ALLOWED, path), { status: seen[0], ref: '', body: seen[1] }, `${path} is tried`);
    });
    const judged = mode === 'live' ? { 'allow allowed-by-rule': paths.length } : {};
    t.strictSame(allowed, judged, 'one verdict each, and in hybrid none: the snapshot lets in');

    await apply(smallPolicy({ revision: 2, allow: [ALLOWED], mode: 'observe' }));
    const seen = (await edge.denials()).length;
    for (const { path, seen } of rows)
      for (const ask of asks)
        t.match(await ask(DENIED, path), { status: seen[0], body: seen[1] }, `${path} passes in observe`);
    const events = (await edge.denials()).slice(seen).map(({ verdict, path }) => `${verdict} ${path}`);
    t.strictSame(
      events,
      paths.map((path) => `would-deny ${path}`),
      'one event each, with the path that the client asked for',
    );
  });

  claim(`the path of the client is judged, not where NGINX leads it: mode ${mode}`, async (t, on) => {
    const { apply, asks } = await startStand(t, on, mode);
    const http = [
      { path: '/asked' },
      { path: '/renamed' },
      { path: '/handed' },
      { path: '/mirrored' },
      { path: '/added' },
      { path: '/ssi.html' },
    ];
    await apply(smallPolicy({ revision: 1, allow: [ALLOWED], http }));
    for (const ask of asks) {
      for (const { path } of http) t.equal((await ask(ALLOWED, path)).status, 200, path);
      for (const path of ['/return', '/part', '/yes', '/kept', '/copy'])
        t.equal((await ask(ALLOWED, path)).status, 403, `${path}, asked for by a client`);
    }
  });

  claim(`a WebSocket is judged before its upgrade: mode ${mode}`, async (t, on) => {
    const { edge, apply, reached } = await startStand(t, on, mode);
    await apply(smallPolicy({ revision: 1, allow: [ALLOWED], http: [{ methods: ['GET'], path: '/ws' }] }));
    const upgrade = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;
    const opened = async (localAddress: string, path = '/ws'): Promise<number> =>
      (await rawRequest({ port: edge.port, localAddress, bytes: upgrade(path) })).status;
    t.strictSame([await opened(DENIED), await opened(ALLOWED, '/return')], [403, 403]);
    t.match(await edge.denials(), [{ path: '/ws', reason: 'unknown-source' }, { reason: 'request-not-allowed' }]);
    t.equal(reached(), 0);
    t.strictSame([await opened(ALLOWED), reached()], [101, 1]);
  });

  claim(`gRPC is judged by its method's path, and a denial is its PERMISSION_DENIED: mode ${mode}`, async (t, on) => {
    const { edge, apply, reached } = await startStand(t, on, mode);
    await apply(
      smallPolicy({ revision: 1, allow: [ALLOWED], http: [{ methods: ['POST'], path: '/orders.Orders/Get' }] }),
    );
    const call = (from: string, path: string): Promise<Answer & { grpc: string }> =>
      over(t, edge, from, path, {
        ':method': 'POST',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
    const [who, what] = [await call(DENIED, '/orders.Orders/Get'), await call(ALLOWED, '/orders.Orders/Delete')];
    // Clients of gRPC read a 403 without a grpc-status as PERMISSION_DENIED (gRPC over HTTP/2, status codes).
    for (const denied of [who, what]) t.match(denied, { status: 403, grpc: '', ref: /^[0-9a-f]{16}$/ });
    t.match(await edge.denials(), [
      { method: 'POST', path: '/orders.Orders/Get', reason: 'unknown-source', ref: who.ref },
      { method: 'POST', path: '/orders.Orders/Delete', reason: 'request-not-allowed', ref: what.ref },
    ]);
    t.equal(reached(), 0);
    t.match(await call(ALLOWED, '/orders.Orders/Get'), { status: 200, grpc: '0' });
    t.equal(reached(), 1);
  });
}

interface Stand {
  edge: Edge;
  /** In hybrid with a snapshot of it. */
  apply(policy: CompiledPolicy): Promise<void>;
  /** Requests, upgrades and calls that came to what is behind. */
  reached(): number;
  /** Over HTTP/1.1, and over HTTP/2. */
  asks: ((from: string, path: string) => Promise<Answer>)[];
}

async function startStand(t: Test, on: OnNginx, mode: (typeof MODES)[number]): Promise<Stand> {
  const behind = await startBehind(t);
  const edge = await on.startEdge(t, {
    servers: [{ name: 'order-front', root: false, http2: true, extra: behind.directives }],
    ...(mode === 'hybrid' ? { hybrid: { cachedCheck: false } } : {}),
  });
  const hybrid = mode === 'hybrid' ? edge.hybrid() : null;
  const point = hybrid ?? edge.point();
  return {
    edge,
    async apply(policy) {
      await point.apply(policy);
      await hybrid?.takeSnapshot();
    },
    reached: behind.reached,
    asks: [
      async (localAddress, path) => {
        const bytes = `GET ${path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`;
        const { status, headers, body } = await rawRequest({ port: edge.port, localAddress, bytes });
        return { status, ref: headers['edgeward-ref'] ?? '', body };
      },
      (from, path) => over(t, edge, from, path),
    ],
  };
}

/** One request over HTTP/2, on a connection of its own. */
async function over(
  t: Test,
  { port }: Edge,
  localAddress: string,
  path: string,
  more: Record<string, string> = {},
): Promise<Answer & { grpc: string }> {
  const createConnection = (): Socket => connectTcp({ host: '127.0.0.1', port, localAddress });
  const session = connect(`http://127.0.0.1:${port}`, { createConnection });
  session.on('error', () => {});
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': path, ':authority': 'shop.example', ...more });
  const answer = { status: 0, ref: '', body: '', grpc: '' };
  stream.on('response', (headers) => {
    answer.status = Number(headers[':status']);
    answer.ref = String(headers['edgeward-ref'] ?? '');
  });
  stream.on('trailers', (trailers) => {
    answer.grpc = String(trailers['grpc-status'] ?? '');
  });
  stream.setEncoding('utf8').on('data', (piece) => {
    answer.body += piece;
  });
  stream.setTimeout(20_000, () => stream.destroy(new Error(`no answer over HTTP/2 to ${path}`)));
  await once(stream, 'close');
  session.destroy();
  return answer;
}

/** What moved in NGINX's own totals while `during` ran, as `verdict reason` → number. */
async function counted(edge: Edge, during: () => Promise<unknown>): Promise<Record<string, number>> {
  const read = async (): Promise<Map<string, number>> =>
    new Map((await edge.point().counts()).counts.map((one) => [`${one.verdict} ${one.reason}`, one.total]));
  const before = await read();
  await during();
  const moved = [...(await read())].map(([key, total]) => [key, total - (before.get(key) ?? 0)] as const);
  return Object.fromEntries(moved.filter(([, difference]) => difference !== 0));
}
