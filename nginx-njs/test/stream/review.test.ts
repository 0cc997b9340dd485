/** What `edgeward nginx check`, `discover` and `whoami` say of stream servers, and what a real NGINX does then. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { type Edge, requireNginx, type StreamServer, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { askedAddresses, discoverServers, reviewDump } from '../../driver/index.ts';
import { connecting, streamPolicy } from './connecting.ts';

await requireNginx(t, 'debian-13');

const [ALLOWED, DENIED] = ['127.0.0.1', '127.0.0.2'];
const policy = streamPolicy({ revision: 1, allow: [ALLOWED] });
const upstream = `127.0.0.1:${await greeter()}`;
const server = { name: 'billing-db', upstream };
const edge = await startEdge(t, { edition: 'debian-13', stream: [server], workers: 1 });
await edge.point().apply(policy);

const said = 'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n';
const cases: [claim: string, code: string, wrong: Partial<StreamServer>, from: string, bytes: string, seen: string][] =
  [
    [
      'a server without the two lines lets everybody through',
      'EDW_ERR_NGINX_STREAM_UNPROTECTED',
      { protect: false },
      DENIED,
      '',
      'hello',
    ],
    [
      'an object that the policy has not is denied',
      'EDW_ERR_NGINX_OBJECT_UNKNOWN',
      { bind: 'other-db' },
      ALLOWED,
      '',
      '',
    ],
    [
      'an object of http is not judged by connections',
      'EDW_ERR_NGINX_STREAM_OBJECT_HTTP',
      { bind: 'order-front', port: 443 },
      ALLOWED,
      '',
      '',
    ],
    ['a server without a name is denied', 'EDW_WARN_NGINX_NAMELESS', { bind: null }, ALLOWED, '', ''],
    [
      'a port that the object does not list is denied',
      'EDW_WARN_NGINX_PORT_NOT_LISTED',
      { port: 5433 },
      ALLOWED,
      '',
      '',
    ],
    ['so is that of a listener', 'EDW_WARN_NGINX_PORT_NOT_LISTED', { port: null }, ALLOWED, '', ''],
    [
      'who believes everybody lets everybody say who they are',
      'EDW_ERR_NGINX_REALIP_ANYBODY',
      { spoof: true, extra: 'set_real_ip_from 0.0.0.0/0;' },
      DENIED,
      said,
      'hello',
    ],
  ];

for (const [claim, code, wrong, from, bytes, seen] of cases) {
  t.test(`${claim}, and check says so (${code})`, async (t) => {
    await edge.configure({ stream: [{ ...server, ...wrong }] });
    await edge.reload();
    const { findings } = reviewDump({ dump: await dumpOf(edge), policy, denyLog: edge.paths.denyLog, open: [] });
    t.equal(await connecting(edge, { from, bytes }), seen);
    t.ok(findings.some((it) => it.code === code));
  });
}

t.test('a server as it is meant judges, and has no finding', async (t) => {
  await edge.configure({ stream: [server] });
  await edge.reload();
  const review = reviewDump({ dump: await dumpOf(edge), policy, denyLog: edge.paths.denyLog, open: [] });
  t.strictSame(review.findings, []);
  t.strictSame([await connecting(edge), await connecting(edge, { from: DENIED })], ['hello', '']);
  t.strictSame(review.servers.map(({ state }) => state).sort(), ['protected', 'protected', 'push', 'push']);
});

t.test('stream servers are proposed as objects of protocol tcp', async (t) => {
  await edge.configure({ stream: [{ ...server, protect: false, extra: 'listen 127.0.0.1:5353 udp;' }] });
  const found = discoverServers(await dumpOf(edge)).filter(({ state }) => state === 'stream');
  const port = edge.ports['billing-db'];
  t.match(found, [
    {
      bind: `stream-127.0.0.1-${port}`,
      object: { protocol: 'tcp', ports: [`tcp/${port}`, 'udp/5353'] },
      targets: [upstream],
      remarks: [/protect-stream\.conf/, /leads to/],
    },
  ]);
  await edge.configure({ stream: [server] });
  t.match(
    discoverServers(await dumpOf(edge)).find(({ bind }) => bind === 'billing-db'),
    { state: 'protected', object: { protocol: 'tcp', ports: ['tcp/5432'] } },
  );
});

t.test('whoami says whom a stream server judges, as NGINX then does', async (t) => {
  for (const spoof of [true, false]) {
    await edge.configure({ stream: [{ ...server, spoof }] });
    await edge.reload();
    const [asked] = askedAddresses(
      await dumpOf(edge),
      { from: DENIED, headers: [], proxied: '203.0.113.9' },
      policy,
    ).filter(({ title }) => title.startsWith('stream '));
    const from = ALLOWED;
    await connecting(edge, spoof ? { from, said: '203.0.113.9' } : { from: DENIED });
    const judged = (await edge.denials()).at(-1)?.source;
    // Only 127.0.0.1 is believed by the kit's server.
    t.equal(asked?.judged, spoof ? DENIED : judged, `spoof ${spoof}`);
    t.equal(judged, spoof ? '203.0.113.9' : DENIED);
    const believed = askedAddresses(await dumpOf(edge), { from, headers: [], proxied: '203.0.113.9' }, policy);
    t.equal(believed.at(-1)?.judged, spoof ? '203.0.113.9' : ALLOWED);
  }
});

async function dumpOf({ binary, paths }: Edge): Promise<string> {
  const [program = '', ...args] = binary.command;
  const flags = ['-T', '-q', '-e', 'stderr', '-p', paths.folder, '-c', paths.configFile];
  return (await promisify(execFile)(program, [...args, ...flags], { maxBuffer: 16 << 20 })).stdout;
}

async function greeter(): Promise<number> {
  const service = createServer((socket) => socket.on('error', () => {}).end('hello'));
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise<void>((resolve) => service.close(() => resolve())));
  const address = service.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
