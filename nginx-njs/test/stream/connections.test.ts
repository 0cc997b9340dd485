/** The hook in a server of the stream module: one verdict and one event a connection, before a byte is read. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { type Edge, freePort, onEveryNginx, rawConnection } from '@edgeward/test/kit';
import t from 'tap';
import { namesUnder } from '../../driver/entry-names.ts';
import { connecting, streamPolicy, THROUGH } from './connecting.ts';
import { tamperWithFrame } from './frames.ts';

const ALLOWED = '127.0.0.1';
const DENIED = '127.0.0.2';

const claim = await onEveryNginx(t);

claim(
  'who is denied gets nothing, and what is behind sees nobody; the event says who, where and why',
  async (t, on) => {
    const upstream = await listener(t);
    const edge = await on.startEdge(t, { stream: [{ name: 'billing-db', upstream: `127.0.0.1:${upstream.port}` }] });
    await edge.point().apply(streamPolicy({ revision: 7, allow: [ALLOWED] }));
    t.equal(await connecting(edge, { from: DENIED }), '', 'closed without a word');
    t.equal(upstream.connections(), 0, 'nobody reached it');
    t.equal(await connecting(edge, { bytes: 'hello' }), 'hello, who is there', 'who is allowed gets through');
    const [event, ...more] = await edge.denials();
    t.strictSame(more, [], 'one event');
    t.match(event, { ref: /^[0-9a-f]{16}$/, peerPort: Number });
    t.match(event, {
      object: 'billing-db',
      source: DENIED,
      peer: DENIED,
      port: 'tcp/5432',
      method: null,
      path: null,
      truncated: false,
      host: null,
      verdict: 'deny',
      reason: 'unknown-source',
      rule: null,
      revision: 7,
    });
  },
);

claim(
  'a connection is denied before a policy came, on a port that is not listed, and where no object is named',
  async (t, on) => {
    const edge = await on.startEdge(t, {
      stream: [
        { name: 'billing-db' },
        { name: 'other-port', bind: 'billing-db', port: 5433 },
        { name: 'own-port', bind: 'billing-db', port: null },
        { name: 'nameless', bind: null },
        { name: 'web', bind: 'order-front', port: 443 },
      ],
    });
    t.equal(await connecting(edge), '', 'no policy');
    await edge.point().apply(streamPolicy({ revision: 1, allow: [ALLOWED] }));
    for (const server of ['other-port', 'own-port', 'nameless', 'web'])
      t.equal(await connecting(edge, { server }), '', server);
    t.equal(await connecting(edge), THROUGH);
    t.strictSame(await reasons(edge), [
      'no-policy',
      'port-not-allowed',
      'port-not-allowed',
      'unknown-object',
      'unknown-object',
    ]);
    const [, , own] = await edge.denials();
    t.equal(own?.port, `tcp/${edge.ports['own-port']}`, 'without $edgeward_port the listener is judged');
  },
);

claim('observe passes and tells, off passes, and what the server itself denies it still denies', async (t, on) => {
  const edge = await on.startEdge(t, {
    stream: [{ name: 'billing-db' }, { name: 'stricter', bind: 'billing-db', extra: `deny ${ALLOWED};` }],
  });
  const point = edge.point();
  await point.apply(streamPolicy({ revision: 1, mode: 'observe' }));
  t.equal(await connecting(edge, { from: DENIED }), THROUGH);
  await point.apply(streamPolicy({ revision: 2, mode: 'off' }));
  t.equal(await connecting(edge, { from: DENIED }), THROUGH);
  t.equal(await connecting(edge, { server: 'stricter' }), '', 'a pass is no `allow`');
  t.strictSame(
    (await edge.denials()).map(({ verdict, reason }) => [verdict, reason]),
    [['would-deny', 'unknown-source']],
  );
});

claim('the source is whom a believed balancer names, and else who connects', async (t, on) => {
  const port = await freePort();
  // The header is read, and nobody is believed.
  const distrustful = { bind: 'billing-db', extra: `listen 127.0.0.1:${port} proxy_protocol;` };
  const edge = await on.startEdge(t, {
    stream: [
      { name: 'billing-db', spoof: true },
      { name: 'distrustful', ...distrustful },
    ],
  });
  await edge.point().apply(streamPolicy({ revision: 1, allow: ['203.0.113.0/24', '2001:db8::/64', '10.1.2.3'] }));
  const cases: [said: string, passes: boolean, judged: string][] = [
    ['203.0.113.9', true, ''],
    ['203.0.114.9', false, '203.0.114.9'],
    ['2001:db8::1', true, ''],
    ['2001:db8:0:1::1', false, '2001:db8:0:1::1'],
    ['::ffff:10.1.2.3', true, ''],
    ['::ffff:10.1.2.4', false, '10.1.2.4'],
  ];
  for (const [said, passes, judged] of cases) {
    t.equal(await connecting(edge, { said }), passes ? THROUGH : '', said);
    if (!passes) t.equal((await edge.denials()).at(-1)?.source, judged, `${said} is judged`);
  }
  const before = (await edge.denials()).length;
  t.equal(await connecting(edge, { bytes: 'no header\r\n' }), '', 'a connection without the header is closed by NGINX');
  t.equal((await edge.denials()).length, before, 'before the hook');
  t.equal(
    await rawConnection({ port, bytes: 'PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n' }),
    '',
    'nobody is believed there',
  );
  t.equal((await edge.denials()).at(-1)?.source, ALLOWED, 'and who connects is judged');
});

claim('over a unix socket nobody has an address, and is denied also where everybody is allowed', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
  const path = join(edge.paths.folder, 'billing.sock');
  await edge.configure({ stream: [{ name: 'billing-db', extra: `listen unix:${path};` }] });
  await edge.restart();
  await edge.point().apply(streamPolicy({ revision: 1, allow: ['0.0.0.0/0', '::/0'] }));
  t.equal(await connecting(edge), THROUGH, 'who has an address is let in');
  const socket = connect({ path });
  t.teardown(() => void socket.destroy());
  let said = '';
  socket
    .on('error', () => {})
    .on('data', (bytes) => {
      said += bytes;
    });
  await once(socket, 'close');
  t.equal(said, '');
  t.match(await edge.denials(), [{ source: null, peer: null, reason: 'unknown-source' }]);
});

claim('a hook that fails closes, and denials that can not be written are counted', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
  const policy = streamPolicy({ revision: 1, allow: [ALLOWED] });
  const point = edge.point();
  await point.apply(policy);
  const { hash = '' } = policy.objects.find(({ bind }) => bind === 'billing-db') ?? {};
  const rules = `${namesUnder(edge.token)(hash)}#0`;
  t.equal((await tamperWithFrame(edge, rules, '[null]')).status, 200);
  t.equal(await connecting(edge), '', 'a damaged rule denies');
  const failed = { object: 'billing-db', reason: 'internal-error', source: null, revision: 0 };
  t.match(await edge.denials(), [failed], 'with one event');
  t.match(
    (await point.counts()).counts.filter(({ reason }) => reason === 'internal-error'),
    [{ bind: 'billing-db', verdict: 'deny', total: 1 }],
    'and one count',
  );
  await point.apply(policy);
  await rm(edge.paths.denyLog, { force: true });
  await mkdir(edge.paths.denyLog);
  t.equal(await connecting(edge, { from: DENIED }), '', 'denied all the same');
  const lost = (await point.counts()).counts.find(({ verdict }) => verdict === 'lost');
  t.match(lost, { bind: 'billing-db', reason: 'log-write', total: 1 });
});

claim('UDP is judged too: a datagram that is denied is answered nothing', async (t, on) => {
  const edge = await on.startEdge(t, {
    stream: [
      { name: 'billing-db', udp: true, port: 53 },
      { name: 'tcp-alone', bind: 'billing-tcp', udp: true, port: 53 },
    ],
  });
  const policy = streamPolicy({ revision: 1, allow: [ALLOWED], ports: ['udp/53'], objects: ['billing-db'] });
  await edge.point().apply(policy);
  t.equal(await datagram(edge.ports['billing-db'] ?? 0, ALLOWED, PATIENT_MS), THROUGH);
  t.equal(await datagram(edge.ports['billing-db'] ?? 0, DENIED), null);
  t.equal(await datagram(edge.ports['tcp-alone'] ?? 0, ALLOWED), null);
  t.strictSame(
    (await edge.denials()).map(({ port, reason }) => [port, reason]),
    [
      ['udp/53', 'unknown-source'],
      ['udp/53', 'unknown-object'],
    ],
  );
});

claim('after a restart the first connection is judged from the last-known file of its own', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
  const point = edge.point();
  await point.apply(streamPolicy({ revision: 3, allow: [ALLOWED] }));
  await edge.restart();
  t.equal(await connecting(edge), THROUGH);
  t.equal(await connecting(edge, { from: DENIED }), '');
  t.equal((await edge.denials()).at(-1)?.revision, 3);
  await point.apply(streamPolicy({ revision: 3, allow: [ALLOWED] }));
  await rm(`${edge.paths.lastKnownFile}-stream`);
  t.match(await point.inspect(), { drift: [/^stream: the last-known file/] }, 'a file that is missing is drift');
  await edge.restart();
  t.equal(await connecting(edge), '', 'without it everything is denied');
  t.match(await point.inspect(), { state: 'empty' }, 'and the point says that it is to be filled');
  await point.apply(streamPolicy({ revision: 3, allow: [ALLOWED] }));
  t.equal(await connecting(edge), THROUGH);
});

async function reasons(edge: Edge): Promise<unknown[]> {
  return (await edge.denials()).map(({ reason }) => reason);
}

async function listener(t: {
  teardown(run: () => Promise<void>): unknown;
}): Promise<{ port: number; connections(): number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => {});
    socket.once('data', (bytes) => socket.end(`${bytes.toString()}, who is there`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise((resolve) => server.close(() => resolve())));
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, connections: () => connections };
}

const PATIENT_MS = 20_000;

/** null: nothing came back. The server of the kit answers at once; where an answer must come, a busy machine has its time. */
function datagram(port: number, from: string, waitMs = 300): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const end = (answer: string | null): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(null), waitMs);
    socket.on('message', (bytes) => end(bytes.toString()));
    socket.on('error', reject);
    socket.bind(0, from, () => socket.send('hello', port, '127.0.0.1'));
  });
}
