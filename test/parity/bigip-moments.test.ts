/**
 * The rules at the moments that vectors don't have: a policy that changes under an open connection, a rule that is taken off, a
 * group that is broken, another rule that answers first, an upgrade. On a simulated BIG-IP, pushed by the driver.
 */
import { connect, type Socket } from 'node:net';
import { type BigipPoint, createBigipPoint, objectPath } from '@edgeward/f5-irules';
import { createLogger } from '@edgeward/runtime';
import {
  type Bigip,
  compileDocuments,
  requireTclsh,
  startBigip,
  startUpstream,
  type Teardown,
  virtualOf,
} from '@edgeward/test/kit';
import t from 'tap';

await requireTclsh(t);

const front = (more: object): object => ({
  kind: 'VirtualServer',
  name: 'orders',
  labels: { app: 'orders' },
  point: 'bigip-1',
  bind: virtualOf('orders'),
  ports: ['tcp/1-65535'],
  mode: 'enforce',
  ...more,
});
const rule = (more: object): object => ({
  kind: 'Policy',
  name: 'orders',
  rules: [{ id: 'r', from: [{ cidr: '127.0.10.0/24' }], to: "app == 'orders'", ...more }],
});
const onPath = rule({ http: [{ path: '/a/*' }] });

interface Scene {
  box: Bigip;
  port: number;
  /** Puts the next revision into force. */
  apply(...documents: object[]): Promise<void>;
}

async function scene(t: Teardown): Promise<Scene> {
  const upstream = await startUpstream(t);
  const box = await startBigip(t, { fronts: { orders: { protocol: 'http', upstreamPort: upstream.port } } });
  const logger = createLogger({ level: 'silent' });
  const access = { urls: box.access.urls, user: box.access.user, passwordFile: box.access.passwordFile };
  const point: BigipPoint = createBigipPoint({ name: 'bigip-1', ...access, ca: box.simulator.ca, logger });
  t.teardown(() => point.close());
  let revision = 0;
  return {
    box,
    port: box.ports.orders ?? 0,
    apply: async (...documents) => {
      revision += 1;
      await point.apply(compileDocuments(documents, { revision, point: 'bigip-1' }));
    },
  };
}

/** One connection from 127.0.10.4; each answer is a status, or `reset`. */
function openConnection(
  t: Teardown,
  port: number,
): { ask(path: string, ...headers: string[]): Promise<number | 'reset'> } {
  const socket: Socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.10.4' });
  let told: (answer: number | 'reset') => void = () => {};
  let gone = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    gone = true;
    told('reset');
  });
  socket.on('data', (data) => {
    const status = /HTTP\/1\.[01] (\d{3})/.exec(data.toString('latin1'))?.[1];
    if (status !== undefined) told(Number(status));
  });
  t.teardown(async () => void socket.destroy());
  return {
    ask: (path, ...headers) =>
      new Promise((resolve) => {
        if (gone) return resolve('reset');
        told = resolve;
        socket.write(`GET ${path} HTTP/1.1\r\n${['Host: x', ...headers].join('\r\n')}\r\n\r\n`);
      }),
  };
}

const once = (t: Teardown, port: number, path: string, ...headers: string[]): Promise<number | 'reset'> =>
  openConnection(t, port).ask(path, ...headers);

t.test('an open connection is judged by the policy of each request', async (t) => {
  const { box, port, apply } = await scene(t);
  await apply(front({}), onPath);
  await box.rules('attach', 'orders');
  const open = openConnection(t, port);
  t.equal(await open.ask('/a/1'), 200);
  t.equal(await open.ask('/b'), 403);
  await apply(front({}), rule({ http: [{ path: '/b' }] }));
  t.strictSame([await open.ask('/a/1'), await open.ask('/b')], [403, 200]);
  await apply(front({}), rule({ from: [{ cidr: '127.0.99.0/24' }] }));
  t.equal(await open.ask('/b'), 403, 'of who is unknown by now too');
});

t.test('where requests were judged and connections are now, an open connection is judged as one', async (t) => {
  const { box, port, apply } = await scene(t);
  await apply(front({}), onPath);
  await box.rules('attach', 'orders');
  const [allowed, open] = [openConnection(t, port), openConnection(t, port)];
  t.strictSame([await allowed.ask('/a/1'), await open.ask('/a/1')], [200, 200]);
  await apply(front({ protocol: 'tcp' }), rule({ from: [{ cidr: '127.0.99.0/24' }] }));
  t.equal(await open.ask('/b'), 403, 'who may no longer connect');
  await apply(front({ protocol: 'tcp' }), rule({}));
  t.equal(await allowed.ask('/b'), 200, 'who may');
});

t.test('what layer 7 should have seen reaches no server without it', async (t) => {
  const { box, port, apply } = await scene(t);
  await apply(front({}), onPath);
  await box.rules('attach', 'orders');
  const [l4] = ((await box.admin().get(objectPath('tm/ltm/virtual', virtualOf('orders'))))?.rules ?? []) as string[];
  await box.admin().modify(objectPath('tm/ltm/virtual', virtualOf('orders')), { rules: [l4] });
  t.equal(await once(t, port, '/a/1'), 'reset', 'from the moment on that its rule is taken off');
  await apply(front({ mode: 'observe' }), onPath);
  t.equal(await once(t, port, '/a/1'), 200, 'what is observed passes');
});

t.test('an upgrade to HTTP/2 in clear is refused where requests are judged', async (t) => {
  const { box, port, apply } = await scene(t);
  await apply(front({}), onPath);
  await box.rules('attach', 'orders');
  for (const upgrade of ['h2c', 'H2C', 'websocket, h2c'])
    t.equal(await once(t, port, '/a/1', 'Connection: Upgrade, HTTP2-Settings', `Upgrade: ${upgrade}`), 403, upgrade);
  await apply(front({}), rule({}));
  t.equal(
    await once(t, port, '/a/1', 'Connection: Upgrade', 'Upgrade: h2c'),
    200,
    'where every request is allowed it is not',
  );
});

t.test('what is only observed passes, whatever fails', async (t) => {
  const { box, port, apply } = await scene(t);
  await apply(front({ mode: 'observe' }), onPath);
  await box.rules('attach', 'orders');
  // Each TMM remembers the modes that it has seen.
  for (let i = 0; i < 16; i += 1) t.equal(await once(t, port, '/b'), 200);
  const map = objectPath('tm/ltm/data-group/internal', '/Edgeward/eg_map');
  const before = await box.admin().get(map);
  const records = (before?.records ?? []) as { name: string; data: string }[];
  const broken = records.map(({ name, data }) => ({ name, data: data.replace(/eg_s_[0-9a-f]+/, 'eg_s_gone') }));
  await box.admin().modify(map, { records: broken });
  t.equal(await once(t, port, '/b'), 200, 'a group that is not there');
  await box.admin().modify(map, { records: [] });
  t.equal(await once(t, port, '/b'), 200, 'a map that is empty');
  await box
    .admin()
    .modify(map, { records: broken.map((it) => ({ ...it, data: it.data.replace('observe', 'enforce') })) });
  t.equal(await once(t, port, '/b'), 'reset', 'what is enforced does not');
});

t.test('a request that another rule answered first is left alone, and nothing else is', async (t) => {
  const { box, port, apply } = await scene(t);
  await apply(front({}), onPath);
  await box.rules('attach', 'orders');
  const text = 'when HTTP_REQUEST priority 5 {\n    if { [HTTP::uri] eq "/old" } { HTTP::redirect "/new" }\n}';
  await box.admin().create('tm/ltm/rule', { name: 'early', partition: 'Common', apiAnonymous: text });
  const path = objectPath('tm/ltm/virtual', virtualOf('orders'));
  const rules = (await box.admin().get(path))?.rules as string[];
  await box.admin().modify(path, { rules: [...rules, '/Common/early'] });
  const open = openConnection(t, port);
  t.strictSame([await open.ask('/old'), await open.ask('/b'), await open.ask('/a/1')], [302, 403, 200]);
});

t.test('a long path is judged as a short one', async (t) => {
  const { box, port, apply } = await scene(t);
  await apply(front({}), onPath);
  await box.rules('attach', 'orders');
  const into = 'x/'.repeat(2000);
  t.equal(await once(t, port, `/a/${into}${'../'.repeat(2000)}1`), 200, 'and out again');
  t.equal(await once(t, port, `/a/${into}${'../'.repeat(2001)}1`), 403, 'and out once more');
  t.equal(await once(t, port, `/a/${into}${'../'.repeat(2002)}1`), 403, 'and above the root');
});
