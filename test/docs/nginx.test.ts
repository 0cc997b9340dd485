/** What docs/nginx.md shows and claims, on a real NGINX. */
import { readFile, rename } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import {
  compileDocuments,
  type Edge,
  type EdgeServer,
  onEveryNginx,
  type RawAnswer,
  rawRequest,
  startEdge,
  type Teardown,
} from '@edgeward/test/kit';
import t from 'tap';
import { blocksOf, page, tableRows } from './markdown.ts';

const claim = await onEveryNginx(t);
const text = page('docs/nginx.md');

const documents = (source: string): unknown[] => [
  {
    kind: 'VirtualServer',
    name: 'order-front',
    labels: { app: 'shop' },
    point: 'edge-1',
    bind: 'order-front',
    ports: ['tcp/443'],
    mode: 'enforce',
  },
  { kind: 'Policy', name: 'p', rules: [{ id: 'r', from: [{ cidr: source }], to: 'all()' }] },
];

const policyFor = (source: string, revision = 1) => compileDocuments(documents(source), { revision });

/** Blocks that belong into a server; the harness brings the port and a location. */
function serverBlocks(info: string): string[] {
  return blocksOf(text).flatMap((block) => (block.info === info ? [block.text] : []));
}

/** As a block of the page, with the paths of this NGINX. */
function written(name: string, block: string, edge: { snippets: string }): EdgeServer {
  return { name, protect: false, extra: block.replaceAll('/etc/edgeward/nginx', edge.snippets) };
}

async function edgeWith(t: Teardown, block: string, extra = ''): Promise<Edge> {
  const edge = await startEdge(t, { servers: [{ name: 'order-front', protect: false }] });
  const server = written('order-front', block, edge.paths);
  await edge.configure({ servers: [{ ...server, extra: `set $edgeward_port 443;\n${server.extra}\n${extra}` }] });
  await edge.reload();
  return edge;
}

function get(edge: Edge, path: string, options: { from?: string; header?: string } = {}): Promise<RawAnswer> {
  const { from, header } = options;
  const bytes = `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n${header ?? ''}Connection: close\r\n\r\n`;
  return rawRequest({ port: edge.port, bytes, ...(from === undefined ? {} : { localAddress: from }) });
}

t.test('the lines for a server protect it, in every form that the page shows', async (t) => {
  const blocks = serverBlocks('nginx server');
  t.equal(blocks.length, 2);
  for (const block of blocks) {
    const edge = await edgeWith(t, block);
    t.equal((await get(edge, '/')).status, 403, 'denied before there is a policy');
    await edge.point().apply(policyFor('127.0.0.1'));
    t.strictSame([(await get(edge, '/')).status, (await get(edge, '/', { from: '127.0.0.9' })).status], [200, 403]);
  }
});

t.test('in the two steps of the page no request is denied that may pass', async (t) => {
  const [block = ''] = serverBlocks('nginx server');
  const edge = await startEdge(t, { servers: [{ name: 'order-front', protect: false }] });
  await edge.point().apply(policyFor('127.0.0.1'));
  const lines = written('order-front', block, edge.paths);
  await edge.configure({ servers: [{ ...lines, extra: `set $edgeward_port 443;\n${lines.extra}` }] });
  await edge.reload();
  t.strictSame([(await get(edge, '/')).status, (await get(edge, '/', { from: '127.0.0.9' })).status], [200, 403]);
  t.equal((await edge.denials()).length, 1);
});

t.test('what stands before the include is answered without a verdict', async (t) => {
  const [block = ''] = serverBlocks('nginx server wrong');
  const edge = await edgeWith(t, block);
  await edge.point().apply(policyFor('127.0.0.1'));
  t.equal((await get(edge, '/', { from: '127.0.0.9' })).status, 301);
});

t.test('the realip lines are taken in http, and a location is too late for them', async (t) => {
  const [, realip = ''] = serverBlocks('nginx http');
  t.match(realip, /set_real_ip_from/);
  const lines = realip.replace('198.51.100.0/28', '127.0.0.0/8');
  const claim = { header: 'X-Forwarded-For: 192.0.2.7\r\n' };
  const edge = await startEdge(t, { extra: lines });
  await edge.point().apply(policyFor('192.0.2.7'));
  t.strictSame([(await get(edge, '/', claim)).status, (await get(edge, '/')).status], [200, 403], 'in http');
  const late = `location /late { ${lines} return 200 "late"; }`;
  const other = await startEdge(t, { servers: [{ name: 'order-front', extra: late }] });
  await other.point().apply(policyFor('192.0.2.7'));
  t.equal((await get(other, '/late', claim)).status, 403, 'in a location');
});

t.test('a 403 says what the page shows, whatever error_page says', async (t) => {
  const [block = ''] = serverBlocks('nginx server');
  const edge = await edgeWith(t, block, 'error_page 403 /oops; location /oops { return 200 oops; }');
  await edge.point().apply(policyFor('192.0.2.7'));
  const { status, headers, body } = await get(edge, '/');
  const shown = blocksOf(text).find((block) => block.text.startsWith('HTTP/1.1 403'))?.text ?? '';
  const ref = headers['edgeward-ref'] ?? '';
  t.match(ref, /^[0-9a-f]{16}$/);
  const [head = '', shownBody = ''] = shown.replaceAll('567b55fe178bf071', ref).split('\n\n');
  t.equal(status, 403);
  t.equal(body, shownBody);
  for (const line of head.split('\n').slice(1)) {
    const [name = '', value = ''] = line.split(': ');
    t.equal(headers[name.toLowerCase()], value, name);
  }
});

t.test('locations cannot undo the verdict, and refuse what they refuse by themselves', async (t) => {
  const [block = ''] = serverBlocks('nginx server');
  const locations = `location /redirect { return 301 /x; } location /closed { deny all; }
    location /any { satisfy any; allow all; try_files /nope =404; } location /away { error_page 404 /redirect; return 404; }`;
  const edge = await edgeWith(t, block, locations);
  await edge.point().apply(policyFor('127.0.0.1'));
  for (const [path, status] of Object.entries({ '/redirect': 301, '/closed': 403, '/any': 404 })) {
    const allowed = await get(edge, path);
    const denied = await get(edge, path, { from: '127.0.0.9' });
    t.strictSame([allowed.status, allowed.headers['edgeward-ref']], [status, undefined], `${path}, allowed`);
    t.strictSame([denied.status, 'edgeward-ref' in denied.headers], [403, true], `${path}, denied`);
  }
  t.equal((await get(edge, '/away', { from: '127.0.0.9' })).status, 403, '/away, denied');
});

t.test('a server that sets no name is denied', async (t) => {
  const edge = await startEdge(t, { servers: [{ name: 'nameless', bind: null }] });
  await edge.point().apply(policyFor('127.0.0.1'));
  t.equal((await get(edge, '/')).status, 403);
  t.equal((await edge.denials()).at(-1)?.reason, 'unknown-object');
});

const refusals: Record<string, string> = {
  'a path with `%00`': 'GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n',
  'a path that climbs above the root': 'GET /../a HTTP/1.1\r\nHost: a\r\n\r\n',
  'a malformed escape in the path': 'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n',
  'two Host headers': 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'HTTP/1.1 without Host': 'GET / HTTP/1.1\r\n\r\n',
  CONNECT: 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n',
  TRACE: 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n',
  'a request line longer than 8 KiB': `GET /${'a'.repeat(8300)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  'a header longer than 8 KiB': `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(9000)}\r\n\r\n`,
};

claim('what NGINX refuses by itself has the status of the table and leaves no event', async (t, on) => {
  const edge = await on.startEdge(t);
  const rows = tableRows(text, ['request', 'status']);
  t.strictSame(rows.map(([request]) => request).sort(), Object.keys(refusals).sort());
  for (const [request = '', status = ''] of rows) {
    const answer = await rawRequest({ port: edge.port, bytes: refusals[request] ?? '' });
    t.ok(status.split(' or ').map(Number).includes(answer.status), `${request}: ${answer.status}`);
  }
  t.strictSame(await edge.denials(), []);
});

claim('what one NGINX judges and a newer one refuses is as the table says', async (t, on) => {
  const edge = await on.startEdge(t);
  const rows = tableRows(text, ['request', 'NGINX 1.26', 'NGINX 1.30']);
  t.ok(rows.length > 0);
  for (const [header = '', older, newer] of rows) {
    const before = (await edge.denials()).length;
    const { status } = await rawRequest({ port: edge.port, bytes: `GET / HTTP/1.1\r\n${header}\r\n\r\n` });
    const judged = status === 403 && (await edge.denials()).length === before + 1;
    t.equal(judged ? 'judged' : String(status), edge.binary.nginxVersion.startsWith('1.26.') ? older : newer, header);
  }
});

t.test('a deny log that was renamed is written anew, without a signal', async (t) => {
  const edge = await startEdge(t);
  await get(edge, '/one');
  await rename(edge.paths.denyLog, `${edge.paths.denyLog}.1`);
  await get(edge, '/two');
  t.strictSame(
    (await edge.denials()).map(({ path }) => path),
    ['/two'],
  );
});

t.test('the policy survives a reload, a changed size of the zone and a restart', async (t) => {
  const edge = await startEdge(t);
  await edge.point().apply(policyFor('127.0.0.1'));
  const bootId = async (): Promise<unknown> =>
    ((await edge.push({ call: 'state' })).body as { bootId: unknown }).bootId;
  const before = await bootId();
  await edge.reload();
  t.equal(await bootId(), before, 'a reload keeps the zone');
  await edge.configure({ zoneSize: '8m' });
  await edge.reload();
  t.not(await bootId(), before, 'another size empties it');
  t.equal((await get(edge, '/')).status, 200, 'and the last-known file fills it');
  await edge.restart();
  t.strictSame([(await get(edge, '/')).status, (await get(edge, '/', { from: '127.0.0.9' })).status], [200, 403]);
  t.match(await readFile(edge.paths.lastKnownFile, 'utf8'), /order-front/);
});

t.test('a WebSocket that is open survives its revocation and a reload; the next request is denied', async (t) => {
  const upstream = await startEcho(t);
  const location = `location /ws { proxy_pass http://127.0.0.1:${upstream}; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }`;
  const edge = await startEdge(t, { servers: [{ name: 'order-front', extra: location }] });
  const point = edge.point();
  await point.apply(policyFor('127.0.0.1'));
  const socket = connect(edge.port, '127.0.0.1');
  t.teardown(async () => void socket.destroy());
  socket.write('GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  const heard = listen(socket);
  await heard('101 Switching');
  await point.apply(policyFor('192.0.2.7', 2));
  await edge.reload();
  t.equal((await get(edge, '/')).status, 403);
  socket.write('still here');
  await heard('still here');
  t.pass('it is still answered');
});

/** Accepts any upgrade and then says what it hears. */
async function startEcho(t: Teardown): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      socket.pipe(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Waits until this was heard; the timeout of the test is the bound. */
function listen(socket: ReturnType<typeof connect>): (words: string) => Promise<void> {
  let text = '';
  let check = (): void => {};
  socket.on('data', (piece) => {
    text += String(piece);
    check();
  });
  return (words) =>
    new Promise((resolve) => {
      check = () => {
        if (text.includes(words)) resolve();
      };
      check();
    });
}
