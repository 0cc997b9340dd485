import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { parseDenyLine } from '@edgeward/deny-log';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, type Denial, freePort, rawRequest, requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { eventually } from '../server/real-nginx.ts';
import { FRONT, type ReloadStand, startedStand } from './reload-stand.ts';

await requireNginx(t, 'debian-12', 'debian-13');

const front = (name: string, mode: string, more: object = {}): unknown => ({
  kind: 'VirtualServer',
  name,
  labels: { app: name },
  point: 'edge-1',
  bind: name,
  ports: ['tcp/443'],
  mode,
  ...more,
});

const policy = (revision: number): CompiledPolicy =>
  compileDocuments(
    [
      ...['enforce', 'observe', 'off'].map((mode) => front(`in-${mode}`, mode)),
      front('elsewhere', 'enforce', { ports: ['tcp/8443'] }),
      front('db', 'enforce', { protocol: 'tcp', ports: ['tcp/5432'] }),
      front('db-observed', 'observe', { protocol: 'tcp', ports: ['tcp/5432'] }),
      {
        kind: 'Policy',
        name: 'shop',
        rules: [
          { id: 'partners', from: [{ cidr: '203.0.113.0/24' }, { cidr: '2001:db8:7::/48' }], to: 'all()' },
          { id: 'not-this-one', from: [{ cidr: '203.0.113.66' }], to: 'all()', action: 'deny' },
        ],
      },
    ],
    { revision },
  );

const HTTP = Object.fromEntries(
  ['in-enforce', 'in-observe', 'in-off', 'elsewhere', 'nobody-knows'].map((it) => [it, FRONT]),
);

for (const edition of ['debian-12', 'debian-13'] as const)
  t.test(`NGINX of ${edition} without njs`, async (t) => {
    const stand = await startedStand(t, { edition, http: HTTP, stream: ['db', 'db-observed', 'db-unknown'] });
    const ask = (...how: [string, string, string?, string?]): ReturnType<typeof rawRequest> => askAt(stand, ...how);

    await t.test('denies everything before the first policy, and says so', async (t) => {
      for (const server of Object.keys(HTTP)) t.equal((await ask(server, '203.0.113.1')).status, 403, server);
      t.equal(await through(stand, 'db-observed', '203.0.113.1'), '');
      const lines = await linesAfter(stand, 0, 6);
      t.equal(lines.length, 6);
      t.ok(
        lines.every(({ reason, revision, verdict }) => reason === 'no-policy' && revision === 0 && verdict === 'deny'),
      );
    });

    await stand.first.apply(policy(7));

    await t.test('judges address and port, and tells reason and rule', async (t) => {
      const table: [server: string, source: string, status: number, reason: string | null, rule: string | null][] = [
        ['in-enforce', '203.0.113.1', 200, null, null],
        ['in-enforce', '2001:db8:7::9', 200, null, null],
        ['in-enforce', '198.51.100.1', 403, 'unknown-source', null],
        ['in-enforce', '2001:db8:8::9', 403, 'unknown-source', null],
        ['in-enforce', '203.0.113.66', 403, 'denied-by-rule', 'not-this-one'],
        ['in-observe', '203.0.113.66', 200, 'denied-by-rule', 'not-this-one'],
        ['in-observe', '198.51.100.1', 200, 'unknown-source', null],
        ['in-observe', '203.0.113.1', 200, null, null],
        ['in-off', '198.51.100.1', 200, null, null],
        ['elsewhere', '203.0.113.1', 403, 'port-not-allowed', null],
        ['nobody-knows', '203.0.113.1', 403, 'unknown-object', null],
      ];
      for (const [server, source, status, reason, rule] of table) {
        const before = (await stand.denials()).length;
        const answer = await ask(server, source);
        t.equal(answer.status, status, `${source} at ${server}`);
        const [line, ...more] = await linesAfter(stand, before, reason === null ? 0 : 1);
        t.equal(more.length, 0, 'one line at most');
        if (reason === null) {
          t.equal(line, undefined, 'an allow has none');
          continue;
        }
        const verdict = status === 403 ? 'deny' : 'would-deny';
        t.match(recordOf(line), {
          object: server,
          source,
          peer: source,
          port: 'tcp/443',
          verdict,
          reason,
          rule,
          revision: 7,
        });
        t.match(recordOf(line), {
          method: 'GET',
          path: '/v1/a%20b',
          host: 'shop.example',
          truncated: false,
          t: Number,
        });
      }
    });

    await t.test('a refused client learns the reference and nothing else, in body and header', async (t) => {
      const before = (await stand.denials()).length;
      const { status, headers, body } = await ask('in-enforce', '198.51.100.1');
      const ref = (await linesAfter(stand, before, 1))[0]?.ref ?? '';
      t.match(ref, /^[0-9a-f]{16}$/);
      t.strictSame([status, body], [403, `Forbidden. Reference: ${ref}\n`]);
      t.match(headers, { 'edgeward-ref': ref, 'cache-control': 'no-store' });
      const passed = await ask('in-observe', '198.51.100.1');
      t.notOk('edgeward-ref' in passed.headers || 'cache-control' in passed.headers, 'who passes learns nothing');
      t.equal((await linesAfter(stand, before, 2)).length, 2, 'and has a line');
    });

    await t.test('what a client sends can not break out of its line', async (t) => {
      const before = (await stand.denials()).length;
      const path = `/"},{"v":1,"rule":"x\\u0000%0a|${'y'.repeat(2000)}?secret=1`;
      const hosts = ['a"b\\c', 'x'.repeat(3000)];
      for (const host of hosts) await ask('in-enforce', '198.51.100.1', path, host);
      const lines = (await linesAfter(stand, before, 2)).map(recordOf);
      t.strictSame(
        lines.map(({ path }) => path),
        hosts.map(() => path.slice(0, 1024)),
        'cut, and without its query',
      );
      t.ok(lines.every(({ truncated }) => truncated));
      t.strictSame(
        lines.map(({ host }) => host),
        hosts,
      );
      await rawRequest({
        port: stand.ports['in-enforce'] ?? 0,
        bytes: 'GET / HTTP/1.0\r\nX-Test-Source: 198.51.100.1\r\n\r\n',
      });
      t.equal(recordOf((await linesAfter(stand, before + 2, 1))[0]).host, null, 'no host is none');
    });

    await t.test('judges connections, and closes who is denied', async (t) => {
      const table: [server: string, source: string, answer: string, reason: string | null][] = [
        ['db', '203.0.113.1', 'through', null],
        ['db', '198.51.100.1', '', 'unknown-source'],
        ['db', '203.0.113.66', '', 'denied-by-rule'],
        ['db-observed', '198.51.100.1', 'through', 'unknown-source'],
        ['db-unknown', '203.0.113.1', '', 'unknown-object'],
      ];
      for (const [server, source, answer, reason] of table) {
        const before = (await stand.denials()).length;
        t.equal(await through(stand, server, source), answer, `${source} at ${server}`);
        const lines = (await linesAfter(stand, before, reason === null ? 0 : 1)).map(recordOf);
        t.strictSame(
          lines.map((line) => line.reason),
          reason === null ? [] : [reason],
        );
        if (reason !== null)
          t.match(lines[0], { object: server, source, port: 'tcp/5432', method: null, path: null, ref: null });
      }
    });
  });

t.test('a datagram is judged by its own ports, and never as a connection', async (t) => {
  const names = (revision: number, ports: string[], mode = 'enforce'): CompiledPolicy =>
    compileDocuments(
      [
        front('names', mode, { protocol: 'tcp', ports: ['tcp/53', 'udp/53'] }),
        {
          kind: 'Policy',
          name: 'dns',
          rules: [{ id: 'lookups', from: [{ cidr: '127.0.0.1' }], to: 'all()', ports }],
        },
      ],
      { revision },
    );
  const [port, behind] = [await freePort(), await freePort()];
  const stand = await startedStand(t, {
    stream: ['names'],
    streamExtra: `upstream names { server 127.0.0.1:${behind}; }
      server { listen 127.0.0.1:${behind} udp; return "through"; }`,
    streamServer: `listen 127.0.0.1:${port} udp; set $edgeward_server names; set $edgeward_port 53;
      set $edgeward_upstream names; proxy_responses 1; include snippets/protect-reload-stream.conf;`,
  });
  const table: [ports: string[], mode: string, answer: string | null, reason: string | null][] = [
    [['tcp/53'], 'enforce', null, 'port-not-allowed'],
    [['tcp/53'], 'observe', 'through', 'port-not-allowed'],
    [['udp/53'], 'enforce', 'through', null],
    [['udp/1-53'], 'enforce', 'through', null],
    [['tcp/53'], 'off', 'through', null],
  ];
  for (const [at, [ports, mode, answer, reason]] of table.entries()) {
    const before = (await stand.denials()).length;
    await stand.first.apply(names(at + 1, ports, mode));
    t.equal(await datagram(port, answer === null ? 300 : 20_000), answer, `${ports} in mode ${mode}`);
    const lines = (await linesAfter(stand, before, reason === null ? 0 : 1)).map(recordOf);
    t.strictSame(
      lines.map((line) => [line.port, line.reason]),
      reason === null ? [] : [['udp/53', reason]],
    );
  }
});

/** null: nothing came back. What answers does so at once; where an answer must come, a busy machine has its time. */
function datagram(port: number, waitMs: number): Promise<string | null> {
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
    socket.bind(0, '127.0.0.1', () => socket.send('hello', port, '127.0.0.1'));
  });
}

async function askAt(
  stand: ReloadStand,
  server: string,
  source: string,
  path = '/v1/a%20b?token=secret',
  host = 'shop.example',
): ReturnType<typeof rawRequest> {
  const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Test-Source: ${source}\r\nConnection: close\r\n\r\n`;
  return rawRequest({ port: stand.ports[server] ?? 0, bytes: head });
}

/** What came through; empty where the connection was closed without a word. */
function through(stand: ReloadStand, server: string, source: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(stand.ports[server] ?? 0, '127.0.0.1');
    let text = '';
    socket.setTimeout(20_000, () => socket.destroy(new Error('no end')));
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? resolve(text) : reject(error)));
    socket.write(`PROXY TCP4 ${source} 192.0.2.1 40000 5432\r\n`);
  });
}

/** A client has its answer before the line is written: tries for 10 s. */
async function linesAfter(stand: ReloadStand, before: number, count: number): Promise<Denial[]> {
  await eventually(async () => (await stand.denials()).length >= before + count);
  return (await stand.denials()).slice(before);
}

/** As the collector reads the line. */
function recordOf(line: Denial | undefined): ReturnType<typeof parseDenyLine>['records'][number] {
  const { records, unparsed } = parseDenyLine(Buffer.from(JSON.stringify(line ?? null)));
  const [record] = records;
  if (record === undefined) throw new Error(`no record: ${JSON.stringify(unparsed)}`);
  return record;
}
