/** The push endpoint of the stream module: what is no call changes nothing, and what is large arrives whole. */
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { compileDocuments, type Edge, onEveryNginx, rawConnection } from '@edgeward/test/kit';
import t from 'tap';
import { eventually } from '../fixtures/asking.ts';
import { connecting, streamPolicy, THROUGH } from './connecting.ts';
import { answerIn, bytesOf, frame, pushPortOf } from './frames.ts';

const claim = await onEveryNginx(t);

interface State {
  bootId: string;
  writer: string;
  active: { revision: number } | null;
}

async function stateOf(edge: Edge): Promise<State> {
  return (await frame(edge, { call: 'GET state' })).body as State;
}

claim('what is no frame, no call, or of somebody without the token is refused and writes nothing', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }], workers: 1 });
  await edge.point().apply(streamPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  const { bootId, writer } = await stateOf(edge);
  const port = pushPortOf(edge);
  const keys = (await frame(edge, { call: 'GET keys', body: '0' })).body;
  const of = { bootId, writer };
  const set = { ...of, call: 'POST set', body: `${'0'.repeat(12)}ab\t00` };

  const large = { ...set, body: `${set.body}\n`.repeat(4000) };
  const half = (bytes: string): string => bytes.slice(0, bytes.length / 2);
  const silent: [string, string][] = [
    ['nothing that ends in time is told by the next test; this is text', 'hello there, is anybody in?'],
    ['a request of HTTP', 'POST /edgeward/set HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another version', bytesOf(set, edge.token).replace('EDW1', 'EDW2')],
    ['a length that is no number', bytesOf(set, edge.token).replace(/ [0-9a-f]{8}\n/, ' 0000000g\n')],
    ['a length that no frame may have', bytesOf(set, edge.token).replace(/ [0-9a-f]{8}\n/, ' 00ffffff\n')],
    ['more bytes than the length says', `${bytesOf(set, edge.token)}x`],
    ['two frames', bytesOf(set, edge.token).repeat(2)],
    ['a push without end', 'x'.repeat(2_000_000)],
  ];
  for (const [name, bytes] of silent) t.equal(await rawConnection({ port, bytes }), '', name);

  const refused: [string, string, number, string][] = [
    ['no words', 'EDW1 00000003\nabc', 400, 'EDW_ERR_POINT_REFUSED'],
    ['nothing in it', 'EDW1 00000000\n', 400, 'EDW_ERR_POINT_REFUSED'],
    ['no token', bytesOf(set, ''), 401, 'EDW_ERR_POINT_TOKEN'],
    ['a forged token', bytesOf(set, 'f'.repeat(48)), 401, 'EDW_ERR_POINT_TOKEN'],
    ['the token and more', bytesOf(set, `${edge.token}0`), 401, 'EDW_ERR_POINT_TOKEN'],
    // Who has no token is refused before the rest is there, and nobody waits for it.
    ['a forged token, and half a frame', half(bytesOf(large, 'f'.repeat(48))), 401, 'EDW_ERR_POINT_TOKEN'],
    [
      'no token in the first kilobyte',
      half(bytesOf({ ...set, call: 'x'.repeat(9000) }, '')),
      400,
      'EDW_ERR_POINT_REFUSED',
    ],
    ['a call that there is not', bytesOf({ ...of, call: 'POST reset' }, edge.token), 404, 'EDW_ERR_POINT_REFUSED'],
    ['another life of the zone', bytesOf({ ...set, bootId: '1-1' }, edge.token), 409, 'EDW_ERR_POINT_RESTARTED'],
    ['another writer', bytesOf({ ...set, writer: 'f'.repeat(16) }, edge.token), 409, 'EDW_ERR_POINT_TAKEN'],
    ['an entry that is none', bytesOf({ ...set, body: 'writer\tme' }, edge.token), 400, 'EDW_ERR_POINT_REFUSED'],
    ['a place that is none', bytesOf({ call: 'GET keys', body: '-1' }, edge.token), 400, 'EDW_ERR_POINT_REFUSED'],
  ];
  for (const [name, bytes, status, code] of refused)
    t.match(answerIn(await rawConnection({ port, bytes })), { status, body: { error: { code } } }, name);

  t.strictSame((await frame(edge, { call: 'GET keys', body: '0' })).body, keys, 'nothing was written');
  t.equal(await connecting(edge), THROUGH, 'and the policy is in force');
});

claim(
  'who sends half a frame is cut off, who goes away leaves nothing, and others are served meanwhile',
  async (t, on) => {
    const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }], workers: 1 });
    const file = join(edge.paths.snippets, 'stream.conf');
    const text = await readFile(file, 'utf8');
    t.match(text, /preread_timeout 5s;/, 'five seconds, of which this test waits less');
    await writeFile(file, text.replace('preread_timeout 5s', 'preread_timeout 2s'));
    await edge.reload();
    const point = edge.point();
    await point.apply(streamPolicy({ revision: 1, allow: ['127.0.0.1'] }));
    const { bootId, writer } = await stateOf(edge);
    const bytes = bytesOf(
      { call: 'POST switch', bootId, writer, body: `${'0'.repeat(12)} 99 ${'0'.repeat(64)}` },
      edge.token,
    );
    const port = pushPortOf(edge);
    const partly = [0, 4, 14, 40, bytes.length - 1];
    const answers = partly.map((length) => rawConnection({ port, bytes: bytes.slice(0, length) }));
    t.strictSame(await Promise.all(answers), ['', '', '', '', ''], `these bytes and no more: ${partly}`);
    for (const length of [4, bytes.length - 1]) await goAway(port, bytes.slice(0, length));
    t.equal((await stateOf(edge)).active?.revision, 1, 'none of them switched');
    // One byte at a time: the time of a frame is that of all its bytes.
    t.equal(await drip(port, bytes), '', 'who drips is cut off too');
    t.equal((await stateOf(edge)).active?.revision, 1);
    await point.apply(streamPolicy({ revision: 2, allow: ['127.0.0.1'] }));
  },
);

claim(
  'large values, many entries and many totals arrive whole, and what nobody reads any more is deleted',
  async (t, on) => {
    const long = 'n'.repeat(120);
    const edge = await on.startEdge(t, {
      stream: [
        { name: 'billing-db', spoof: true },
        { name: 'many', bind: `${long}$remote_port` },
      ],
      zoneSize: '16m',
    });
    const point = edge.point({ collectAfterMs: 20 });
    await point.apply(scattered(1));
    t.equal(await connecting(edge, { said: '10.9.0.2' }), THROUGH);
    t.equal(await connecting(edge, { said: '10.9.0.3' }), '');
    t.equal(await connecting(edge, { said: '11.20.1.1' }), THROUGH);
    t.match(await point.inspect(), { state: 'loaded', revision: 1, drift: [] });

    await Promise.all(Array.from({ length: 300 }, () => connecting(edge, { server: 'many' })));
    const totals = (await point.counts()).counts.filter(({ bind }) => bind.startsWith(long));
    t.equal(
      totals.reduce((sum, { total }) => sum + total, 0),
      300,
      'each was counted once, over all pages',
    );

    await point.apply(streamPolicy({ revision: 2, objects: ['other-db'] }));
    t.ok(await eventually(async () => (await keysOf(edge)).length < 20), 'of thousands of entries a few are left');
    t.equal(await connecting(edge, { said: '10.9.0.2' }), '');
  },
);

claim(
  'hundreds of objects with the longest names are pushed, looked at by a new driver, and deleted',
  async (t, on) => {
    const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }], zoneSize: '8m' });
    const objects = Array.from({ length: 700 }, (_, n) => `${'o'.repeat(55)}${1000 + n}`);
    await edge.point().apply(streamPolicy({ revision: 1, objects }));
    const anew = edge.point({ collectAfterMs: 20 });
    t.match(await anew.inspect(), { state: 'loaded', revision: 1, drift: [] });
    await anew.apply(streamPolicy({ revision: 2, objects: [...objects.slice(1), 'billing-db'], allow: ['127.0.0.1'] }));
    t.equal(await connecting(edge), THROUGH);
    await anew.apply(streamPolicy({ revision: 3 }));
    t.ok(await eventually(async () => (await keysOf(edge)).length < 20), 'hardly anything is left');
  },
);

claim('another server in its place is told from it', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db', protect: false }] });
  const wrong: [string, string][] = [
    [`tcp://127.0.0.1:${edge.ports['billing-db']}`, 'EDW_ERR_POINT_REFUSED'],
    [`tcp://127.0.0.1:${edge.port}`, 'EDW_ERR_POINT_REFUSED'],
    ['tcp://127.0.0.1:1', 'EDW_ERR_POINT_UNREACHABLE'],
    [`tls://127.0.0.1:${pushPortOf(edge)}`, 'EDW_ERR_POINT_CERTIFICATE'],
  ];
  for (const [streamPush, code] of wrong) {
    const point = edge.point({ streamPush, timeoutMs: 1000 });
    await t.rejects(point.apply(streamPolicy({ revision: 1 })), { code }, streamPush);
    await t.rejects(point.probe(), { code }, streamPush);
  }
  t.match(
    ((await edge.push({ call: 'state' })).body as State).active,
    { revision: 1 },
    'and http has the policy all the same',
  );
});

async function keysOf(edge: Edge): Promise<string[]> {
  return ((await frame(edge, { call: 'GET keys', body: '0' })).body as { keys: string[] }).keys;
}

/** One value of more than 100 KB, and thousands of small ones. */
function scattered(revision: number): ReturnType<typeof compileDocuments> {
  const dense = Array.from({ length: 12_000 }, (_, n) => `10.9.${(2 * n) >> 8}.${(2 * n) & 255}`);
  const wide = Array.from({ length: 3000 }, (_, n) => `${11 + (n >> 8)}.${n & 255}.1.1`);
  const from = [...dense, ...wide].map((cidr) => ({ cidr }));
  const front = { name: 'billing-db', labels: { app: 'billing' }, point: 'edge-1', bind: 'billing-db' };
  const object = { kind: 'VirtualServer', ...front, ports: ['tcp/5432'], protocol: 'tcp', mode: 'enforce' };
  const policy = { kind: 'Policy', name: 'billing', rules: [{ id: 'r', from, to: "app == 'billing'" }] };
  return compileDocuments([object, policy], { revision });
}

function goAway(port: number, bytes: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(bytes, () => socket.resetAndDestroy()));
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
}

function drip(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    let at = 0;
    const socket = connect({ host: '127.0.0.1', port });
    const timer = setInterval(() => {
      socket.write(bytes.charAt(at));
      at += 1;
      if (at === bytes.length) socket.destroy(new Error('all of it was taken'));
    }, 20);
    socket.on('data', (piece) => {
      received += piece.toString();
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ECONNRESET' && cause.code !== 'EPIPE') reject(cause);
    });
    socket.on('close', () => {
      clearInterval(timer);
      resolve(received);
    });
  });
}
