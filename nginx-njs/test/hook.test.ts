/** The hook in a server that a user wrote: whatever the locations say, whatever fails, one verdict and one event. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect } from 'node:http2';
import { type Edge, onEveryNginx } from '@edgeward/test/kit';
import t from 'tap';
import { namesUnder } from '../driver/entry-names.ts';
import { ask, statusOf } from './fixtures/asking.ts';
import { smallPolicy } from './fixtures/policies.ts';
import { tamperWith } from './fixtures/tampering.ts';

const ALLOWED = '127.0.0.1';
const DENIED = '127.0.0.2';

const claim = await onEveryNginx(t);

/** What moved in NGINX's own totals while `during` ran, as `bind verdict reason` → number. */
async function counted(edge: Edge, during: () => Promise<unknown>): Promise<Record<string, number>> {
  const point = edge.point();
  const read = async (): Promise<Map<string, number>> =>
    new Map((await point.counts()).counts.map((one) => [`${one.bind} ${one.verdict} ${one.reason}`, one.total]));
  const before = await read();
  await during();
  const moved = [...(await read())].map(([key, total]) => [key, total - (before.get(key) ?? 0)] as const);
  return Object.fromEntries(moved.filter(([, difference]) => difference !== 0));
}

claim('a denied client learns the reference, in header and body, and nothing else', async (t, on) => {
  const edge = await on.startEdge(t);
  await edge.point().apply(smallPolicy({ revision: 1 }));
  for (const method of ['GET', 'POST', 'HEAD', 'FROB']) {
    const { status, headers, body } = await ask(edge, { method, path: '/a.html' });
    const [event] = (await edge.denials()).slice(-1);
    t.equal(status, 403);
    t.match(headers['edgeward-ref'], /^[0-9a-f]{16}$/);
    t.equal(headers['edgeward-ref'], event?.ref, 'the reference of the event');
    t.equal(body, method === 'HEAD' ? '' : `Forbidden. Reference: ${event?.ref}\n`);
    t.match(headers, { 'content-type': /^text\/plain/, 'cache-control': 'no-store' });
    const names = ['cache-control', 'connection', 'content-length', 'content-type', 'date', 'edgeward-ref', 'server'];
    t.strictSame(Object.keys(headers).sort(), names, `${method}: no other header`);
  }
});

claim(
  'in observe and off a request passes; observe logs it also where access_log is off, and tells the client nothing',
  async (t, on) => {
    const edge = await on.startEdge(t, {
      servers: [
        { name: 'order-front', extra: 'access_log off; location = /quiet { access_log off; return 200 "quiet\\n"; }' },
      ],
    });
    const point = edge.point();
    await point.apply(smallPolicy({ revision: 1, mode: 'observe' }));
    for (const path of ['/', '/quiet']) {
      const { status, headers } = await ask(edge, { path });
      t.strictSame([status, headers['edgeward-ref'], headers['cache-control']], [200, undefined, undefined], path);
      t.match((await edge.denials()).at(-1), { path, verdict: 'would-deny', reason: 'unknown-source', revision: 1 });
    }
    await point.apply(smallPolicy({ revision: 2, mode: 'off' }));
    const before = (await edge.denials()).length;
    const counts = await counted(edge, async () => t.equal(await statusOf(edge), 200));
    t.strictSame(counts, { 'order-front allow mode-off': 1 });
    t.equal((await edge.denials()).length, before, 'off leaves no event');
  },
);

claim('a server that does not say which object it is is denied as an unknown object', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'nameless', bind: null }, { name: 'order-front' }] });
  await edge.point().apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  t.strictSame([await statusOf(edge), await statusOf(edge, { server: 'order-front' })], [403, 200]);
  t.match(await edge.denials(), [{ object: '', reason: 'unknown-object', revision: 1 }]);
});

claim('a port that the object does not list is denied, whatever the listener is', async (t, on) => {
  const edge = await on.startEdge(t, {
    servers: [{ name: 'order-front' }, { name: 'listener', bind: 'order-front', port: '""' }],
  });
  await edge.point().apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
  t.strictSame([await statusOf(edge), await statusOf(edge, { server: 'listener' })], [200, 403]);
  t.match(await edge.denials(), [{ port: `tcp/${edge.ports.listener}`, reason: 'port-not-allowed' }]);
});

claim('a handler that fails denies as internal-error, with one event and one count', async (t, on) => {
  const edge = await on.startEdge(t);
  const policy = smallPolicy({ revision: 1, allow: [ALLOWED], http: [{ path: '/*' }] });
  await edge.point().apply(policy);
  const nameOf = namesUnder(edge.token);
  const content = nameOf(policy.objects[0]?.hash ?? '');
  const header = `@${nameOf(policy.hash)}/order-front`;
  const good = {
    content,
    mode: 'enforce',
    protocol: 'http',
    ports: [{ protocol: 'tcp', from: 443, to: 443 }],
    trustedProxies: null,
  };
  const damages: [string, string, string][] = [
    ['a header without its fields', header, JSON.stringify({ content })],
    ['ports that are none', header, JSON.stringify({ ...good, ports: [null] })],
    ['a rule that is none', `${content}#0`, '[null]'],
    ['a rule without its ports', `${content}#0`, '[{}]'],
    ['conditions that are none', `${content}#0`, '[{"id":"r","action":"allow","ports":null,"http":[null]}]'],
  ];
  for (const [name, key, value] of damages) {
    await tamperWith(edge, key, value);
    const before = (await edge.denials()).length;
    const counts = await counted(edge, async () => t.equal(await statusOf(edge), 403, name));
    const events = (await edge.denials()).slice(before);
    t.match(
      events,
      [{ object: 'order-front', reason: 'internal-error', rule: null, verdict: 'deny', source: null }],
      name,
    );
    t.strictSame([events.length, counts], [1, { 'order-front deny internal-error': 1 }], name);
    await edge.point().apply(policy);
    t.equal(await statusOf(edge), 200, `${name}: the next apply repairs it`);
  }
  t.match(await readFile(edge.paths.errorLog, 'utf8'), /edgeward: the verdict failed, and denies: /);
});

claim('a deny log that can not be written never opens: what is lost is counted', async (t, on) => {
  const edge = await on.startEdge(t);
  await edge.point().apply(smallPolicy({ revision: 1 }));
  await rm(edge.paths.denyLog, { force: true });
  await mkdir(edge.paths.denyLog);
  const counts = await counted(edge, async () => {
    const { status, headers } = await ask(edge);
    t.strictSame([status, typeof headers['edgeward-ref']], [403, 'string']);
  });
  t.strictSame(counts, { 'order-front deny unknown-source': 1, 'order-front lost log-write': 1 });
  await rm(edge.paths.denyLog, { recursive: true });
  t.equal(await statusOf(edge), 403);
  t.equal((await edge.denials()).length, 1, 'and it is written again as soon as it can be');
});

claim('over HTTP/2 every stream has its verdict and its event', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', http2: true }] });
  await edge
    .point()
    .apply(smallPolicy({ revision: 1, allow: [ALLOWED], http: [{ path: '/v1/*', hosts: ['shop.example'] }] }));
  const session = connect(`http://127.0.0.1:${edge.port}`);
  t.teardown(() => session.destroy());
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => http2Get(session, n % 2 === 0 ? '/v1/orders' : '/v1/../v2')),
  );
  t.equal(answers.filter(({ status }) => status === 200).length, 30);
  const refs = answers.filter(({ status }) => status === 403).map(({ ref }) => ref);
  const events = await edge.denials();
  t.strictSame(events.map(({ ref }) => ref).sort(), refs.sort(), 'the references of the thirty events');
  for (const event of events)
    t.match(event, { reason: 'request-not-allowed', path: '/v1/../v2', host: 'shop.example' });
});

claim('over HTTP/2 a host that is said twice, and differently, is never believed', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'order-front', http2: true }] });
  await edge.point().apply(smallPolicy({ revision: 1, allow: [ALLOWED], http: [{ hosts: ['shop.example'] }] }));
  const session = connect(`http://127.0.0.1:${edge.port}`);
  t.teardown(() => session.destroy());
  const asked = async (names: Record<string, string>): Promise<number> => (await http2Get(session, '/', names)).status;
  t.equal(await asked({ ':authority': 'shop.example' }), 200);
  t.equal(await asked({ host: 'shop.example' }), 200, 'Host alone is its name');
  t.equal(await asked({ ':authority': 'other.example' }), 403);
  for (const [authority, host] of [
    ['other.example', 'shop.example'],
    ['shop.example', 'other.example'],
  ] as const)
    t.not(await asked({ ':authority': authority, host }), 200, `${authority}, and Host ${host}`);
});

function http2Get(
  session: ReturnType<typeof connect>,
  path: string,
  names: Record<string, string> = { ':authority': 'shop.example' },
): Promise<{ status: number; ref: string }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ...names });
    stream.on('response', (headers) =>
      resolve({ status: Number(headers[':status']), ref: String(headers['edgeward-ref'] ?? '') }),
    );
    stream.on('error', reject);
    stream.setTimeout(20_000, () => reject(new Error('no answer over HTTP/2')));
    stream.resume();
  });
}

claim(
  '2,000 requests at once on two workers are counted exactly, and every denial is one whole line',
  async (t, on) => {
    const edge = await on.startEdge(t, { workers: 2 });
    await edge.point().apply(smallPolicy({ revision: 1, allow: [ALLOWED] }));
    const agents = [ALLOWED, DENIED].map(
      (localAddress) => new Agent({ keepAlive: true, maxSockets: 16, localAddress }),
    );
    t.teardown(() => {
      for (const agent of agents) agent.destroy();
    });
    const statuses: Record<number, number> = {};
    const counts = await counted(edge, async () => {
      const path = `/${'x'.repeat(900)}`;
      const all = Array.from({ length: 2000 }, (_, n) => status(edge.port, path, agents[n % 2]));
      for (const one of await Promise.all(all)) statuses[one] = (statuses[one] ?? 0) + 1;
    });
    t.strictSame(statuses, { 200: 1000, 403: 1000 });
    t.strictSame(counts, { 'order-front allow allowed-by-rule': 1000, 'order-front deny unknown-source': 1000 });
    const events = await edge.denials();
    t.strictSame(
      [events.length, new Set(events.map(({ ref }) => ref)).size],
      [1000, 1000],
      'no line lost, mixed or twice',
    );
  },
);

function status(port: number, path: string, agent: Agent | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent, timeout: 20_000 }, (response) => {
      response.on('end', () => resolve(response.statusCode ?? 0)).resume();
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject).end();
  });
}
