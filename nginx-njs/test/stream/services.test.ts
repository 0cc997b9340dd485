/** Services that people run behind the stream module: a database, TLS that is passed through, mail; and sessions that last. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import {
  type Edge,
  freePort,
  onEveryNginx,
  rawConnection,
  requirePostgres,
  startPostgres,
  testCertificates,
} from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { eventually } from '../fixtures/asking.ts';
import { connecting, streamPolicy } from './connecting.ts';

const ALLOWED = '127.0.0.1';
const DENIED = '127.0.0.2';

requirePostgres(t);
const claim = await onEveryNginx(t, ['debian-14-njs']);

claim(
  'PostgreSQL: queries go through, who is denied gets no handshake, an open session outlives its allow',
  async (t, on) => {
    const database = await startPostgres(t, { fsync: false });
    const edge = await on.startEdge(t, { stream: [{ name: 'billing-db', upstream: `127.0.0.1:${database.port}` }] });
    const point = edge.point();
    await point.apply(streamPolicy({ revision: 1, allow: [ALLOWED] }));
    const port = edge.ports['billing-db'] ?? 0;
    const session = await database.session(port);
    t.strictSame(await session.sql('SELECT 6 * 7 AS answer'), [{ answer: 42 }]);
    // Asks whether TLS is spoken, as every driver of PostgreSQL may begin.
    const bytes = Buffer.from('0000000804d2162f', 'hex');
    t.equal(await rawConnection({ port, localAddress: DENIED, bytes }), '');

    await point.apply(streamPolicy({ revision: 2 }));
    await t.rejects(database.session(port), 'a new session is refused');
    t.strictSame(await session.sql('SELECT 1 AS still'), [{ still: 1 }], 'the open one goes on');
  },
);

claim('TLS is passed through as it is, with ssl_preread beside the hook', async (t, on) => {
  const own = await testCertificates(join(t.testdir(), 'own'));
  const server = await own.server({ hosts: ['localhost'] });
  const [cert, key, ca] = [await readFile(server.certFile), await readFile(server.keyFile), await readFile(own.caFile)];
  const tls = createTlsServer({ cert, key }, (socket) => socket.end('over TLS'));
  const upstream = await listening(t, tls);
  const edge = await on.startEdge(t, {
    stream: [{ name: 'billing-db', upstream: `127.0.0.1:${upstream}`, extra: 'ssl_preread on;' }],
  });
  await edge.point().apply(streamPolicy({ revision: 1, allow: [ALLOWED] }));
  const port = edge.ports['billing-db'] ?? 0;
  const asking = (localAddress: string): Promise<string> =>
    answerOf(connectTls({ socket: connect({ host: '127.0.0.1', port, localAddress }), servername: 'localhost', ca }));
  t.equal(await asking(ALLOWED), 'over TLS', "the certificate is the service's own");
  t.equal(await asking(DENIED), '', 'no handshake');
  // The verdict does not wait for a ClientHello.
  t.equal(await connecting(edge, { from: DENIED }), '');
});

claim('mail: the greeting of a server that speaks first arrives, and not at who is denied', async (t, on) => {
  const upstream = await listening(
    t,
    createServer((socket) => smtp(socket)),
  );
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db', upstream: `127.0.0.1:${upstream}` }] });
  await edge.point().apply(streamPolicy({ revision: 1, allow: [ALLOWED] }));
  t.equal(await connecting(edge, { bytes: 'EHLO me\r\nQUIT\r\n' }), '220 mail\r\n250 me\r\n221 bye\r\n');
  t.equal(await connecting(edge, { from: DENIED, bytes: 'EHLO me\r\nQUIT\r\n' }), '');
});

claim('nothing that stands beside the two lines lets in who is denied, and one more hook is refused', async (t, on) => {
  const own = await testCertificates(join(t.testdir(), 'own'));
  const { certFile, keyFile } = await own.server({ hosts: ['localhost'] });
  const upstream = `127.0.0.1:${await listening(
    t,
    createServer((socket) => socket.end('hello')),
  )}`;
  const port = await freePort();
  const beside: Record<string, string> = {
    plain: '',
    returns: '',
    allows: 'allow all;',
    named: 'set $edgeward_server other-db; set $edgeward_server billing-db;',
    terminates: `listen 127.0.0.1:${port} ssl; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};`,
  };
  const stream = Object.entries(beside).map(([name, extra]) => ({
    ...{ name, bind: 'billing-db', extra },
    ...(name === 'returns' ? {} : { upstream }),
  }));
  const edge = await on.startEdge(t, { stream });
  await edge.point().apply(streamPolicy({ revision: 1, allow: [ALLOWED] }));
  for (const name of Object.keys(beside)) {
    t.equal(await connecting(edge, { server: name, from: DENIED, bytes: 'x' }), '', name);
    t.not(await connecting(edge, { server: name, bytes: 'x' }), '', `${name} is open to who is allowed`);
  }
  t.equal(await rawConnection({ port, localAddress: DENIED, bytes: 'x' }), '', 'no handshake where TLS ends');
  t.equal((await edge.denials()).length, Object.keys(beside).length + 1, 'one event each');
  await edge.configure({ stream: [{ name: 'plain', extra: 'js_access edgeward.streamVerdict;' }] });
  await t.rejects(edge.reload(), /js_access.*duplicate|duplicate.*js_access/);
});

claim('sessions that outlive their allow end when they are idle, and soon after a reload', async (t, on) => {
  const upstream = await listening(
    t,
    createServer((socket) => socket.write('hello\n')),
  );
  const proxied = { upstream: `127.0.0.1:${upstream}` };
  const idle = { ...proxied, bind: 'billing-db', extra: 'proxy_timeout 500ms;' };
  const edge = await on.startEdge(t, {
    stream: [
      { name: 'billing-db', ...proxied },
      { name: 'idle', ...idle },
    ],
  });
  const text = await readFile(edge.paths.configFile, 'utf8');
  await writeFile(
    edge.paths.configFile,
    text.replace('worker_processes', 'worker_shutdown_timeout 300ms;\nworker_processes'),
  );
  await edge.restart();
  const point = edge.point();
  await point.apply(streamPolicy({ revision: 1, allow: [ALLOWED] }));
  const [lasting, soonIdle] = [await session(t, edge, 'billing-db'), await session(t, edge, 'idle')];
  await point.apply(streamPolicy({ revision: 2 }));
  t.ok(await eventually(async () => soonIdle.closed), 'proxy_timeout ends what is idle');
  t.notOk(lasting.closed, 'the other one goes on');
  await edge.reload();
  t.ok(await eventually(async () => lasting.closed), 'a reload and worker_shutdown_timeout end it');
});

/** One session that has got its first answer. */
async function session(t: Test, edge: Edge, server: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: edge.ports[server] ?? 0 });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'data');
  return socket;
}

async function listening(t: Test, server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    socket.on('data', (piece) => {
      received += piece.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}

function smtp(socket: Socket): void {
  socket.write('220 mail\r\n');
  socket.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('EHLO')) socket.write('250 me\r\n');
    if (text.includes('QUIT')) socket.end('221 bye\r\n');
  });
}
