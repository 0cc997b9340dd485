/** What goes wrong between the driver and a real NGINX: the old policy stays in force, and the error says the mend. */
import { chmod, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import { freePort, onEveryNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { createPushClient } from '../driver/push-client.ts';
import { eventually, statusOf } from './fixtures/asking.ts';
import { startCuttingProxy } from './fixtures/cutting-proxy.ts';
import { largePolicy, smallPolicy } from './fixtures/policies.ts';

const ALLOWED = { from: '127.0.0.1' };
const OTHER = { from: '127.0.0.2' };

function takenOnly(thrown: unknown): boolean {
  if (thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_POINT_TAKEN') return false;
  throw thrown;
}

const claim = await onEveryNginx(t);

claim('a zone that is too small keeps the old policy, and the size that the error names is enough', async (t, on) => {
  const edge = await on.startEdge(t, { zoneSize: '64k' });
  const point = edge.point({ collectAfterMs: 20 });
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  const error = await point.apply(largePolicy(2, 2000)).catch((thrown: unknown) => thrown);
  t.match(error, { code: 'EDW_ERR_ZONE_TOO_SMALL', mend: /old policy stays in force/ });
  t.match(await point.inspect(), { state: 'loaded', revision: 1, drift: [] }, 'the old one is whole');
  t.strictSame([await statusOf(edge, ALLOWED), await statusOf(edge, OTHER)], [200, 403], 'and in force');
  t.equal(
    (await point.apply(smallPolicy({ revision: 3, allow: ['127.0.0.2'] }))).revision,
    3,
    'a small one still fits',
  );
  t.strictSame([await statusOf(edge, ALLOWED), await statusOf(edge, OTHER)], [403, 200]);

  const size = /needs zone=edgeward:(\d+m)/.exec((error as Error).message)?.[1] ?? '';
  await edge.configure({ zoneSize: size });
  await edge.reload();
  for (const revision of [4, 5]) {
    await point.apply(largePolicy(revision, 2000 + revision));
    t.match(await point.inspect(), { revision, drift: [] }, `with ${size} revision ${revision} fits beside the other`);
  }
});

claim('a zone full of what was replaced a moment ago makes room for the next push', async (t, on) => {
  const edge = await on.startEdge(t, { zoneSize: '128k' });
  const point = edge.point({ collectAfterMs: 150 });
  for (let revision = 1; revision <= 12; revision += 1) {
    await point.apply(largePolicy(revision, 60 + revision));
    t.match(await point.inspect(), { revision, drift: [] });
  }
});

claim('what was replaced is deleted: fifty switches leave one policy in the zone', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point({ collectAfterMs: 10 });
  const keys = async (): Promise<number> => ((await edge.push({ call: 'keys' })).body as string[]).length;
  let most = 0;
  for (let revision = 1; revision <= 50; revision += 1) {
    await point.apply(smallPolicy({ revision, allow: [`127.0.${revision}.0/24`] }));
    if (revision % 10 === 0) await eventually(async () => (await keys()) <= 10);
    most = Math.max(most, await keys());
  }
  t.comment(`at most ${most} keys`);
  t.ok(most < 110, `never more than ten switches leave: ${most} keys`);
  t.ok(await eventually(async () => (await keys()) <= 10), 'and at last only the policy in force');
  t.match(await point.inspect(), { revision: 50, drift: [] });
});

claim('the token must be right, long enough and readable, and may change while everything runs', async (t, on) => {
  const edge = await on.startEdge(t);
  const point = edge.point();
  const own = join(edge.paths.folder, 'own-token');
  const refused = { code: 'EDW_ERR_POINT_TOKEN', mend: /tokenFile/ };
  await writeFile(own, 'x'.repeat(48), { mode: 0o600 });
  await t.rejects(edge.point({ tokenFile: own }).inspect(), refused, 'a wrong one');
  await chmod(own, 0o644);
  const open = { code: 'EDW_ERR_SECRET_FILE', message: /open to every user/, mend: /chmod 600/ };
  await t.rejects(edge.point({ tokenFile: own }).inspect(), open, 'one that every user of the machine may push with');
  await chmod(own, 0o640);
  for (const [name, token] of Object.entries({ short: 'only-15-letters', blank: ' \n' })) {
    await writeFile(edge.paths.tokenFile, token);
    await t.rejects(point.inspect(), refused, name);
  }
  await writeFile(edge.paths.tokenFile, '');
  await t.rejects(point.inspect(), { code: 'EDW_ERR_SECRET_FILE' }, 'empty');
  t.strictSame((await edge.push({ call: 'state', token: '' })).status, 401, 'an empty token file admits nobody');
  await rm(edge.paths.tokenFile);
  await t.rejects(point.inspect(), { code: 'EDW_ERR_SECRET_FILE' }, 'no file for the driver');
  await t.rejects(edge.point({ tokenFile: own }).inspect(), refused, 'no file for NGINX');
  await writeFile(edge.paths.tokenFile, 'a-new-token-for-both-sides\n', { mode: 0o600 });
  t.strictSame(await point.inspect(), { state: 'empty' }, 'a new one is taken without a restart');
  const { pushPort, paths } = edge;
  const url = `http://127.0.0.1:${pushPort}`;
  const client = createPushClient({ point: 'edge-1', url, tokenFile: paths.tokenFile, tls: null, timeoutMs: 20_000 });
  t.teardown(client.close);
  const writer = 'f'.repeat(16);
  const { bootId, writer: before } = await client.state();
  await client.begin({ bootId, writer: before }, writer);
  await writeFile(paths.tokenFile, 'one-that-comes-in-the-middle-of-a-push\n', { mode: 0o600 });
  await client.set({ bootId, writer }, `${'a'.repeat(12)}*4\t00`);
  t.match(await client.keys(), [`${'a'.repeat(12)}*4`], 'and so in the middle of a push');
});

claim('the push endpoint refuses what is no call of the driver, and writes nothing', async (t, on) => {
  const edge = await on.startEdge(t);
  await edge.point().apply(smallPolicy({ revision: 5, allow: ['127.0.0.1'] }));
  const { bootId, writer } = (await edge.push({ call: 'state' })).body as { bootId: string; writer: string };
  const keys = (await edge.push({ call: 'keys' })).body;
  const headers = { 'edgeward-boot-id': bootId, 'edgeward-writer': writer };
  const older = `${'a'.repeat(12)} 4 ${'a'.repeat(64)}`;
  const table: [name: string, status: number, call: string, body: string, headers: Record<string, string>][] = [
    ['no boot id', 409, 'set', `${'a'.repeat(12)}*4\t00`, {}],
    ['another boot id', 409, 'switch', older, { ...headers, 'edgeward-boot-id': 'x' }],
    ['another writer', 409, 'delete', '', { ...headers, 'edgeward-writer': '0'.repeat(16) }],
    ['a writer that is none', 400, 'begin', 'me', headers],
    ['a key of our own', 400, 'set', 'active\tx', headers],
    ['the mode of an object', 400, 'set', 'mode/order-front\toff', headers],
    ['no tab', 400, 'set', 'x', headers],
    ['a good line, then a bad one', 400, 'set', `${'a'.repeat(12)}*4\t00\nbad`, headers],
    ['a header that is no JSON', 400, 'set', `@${'a'.repeat(12)}/x\t{`, headers],
    ['a header without content', 400, 'set', `@${'a'.repeat(12)}/x\t{}`, headers],
    ['a class that is no list', 400, 'set', `${'a'.repeat(12)}#0\t{}`, headers],
    ['a table that is not hex', 400, 'set', `${'a'.repeat(12)}*4\tzz`, headers],
    ['an older revision', 409, 'switch', older, headers],
    ['no revision', 400, 'switch', 'x', headers],
    ['no such call', 404, 'clear', '', headers],
    ['more than 256 KB', 413, 'set', 'x'.repeat(270_000), headers],
  ];
  for (const [name, status, call, body, given] of table) {
    t.equal((await edge.push({ method: 'POST', call, body, headers: given })).status, status, name);
  }
  t.strictSame((await edge.push({ call: 'keys' })).body, keys, 'nothing was written');
  const active = `${'f'.repeat(12)}`;
  await edge.push({ method: 'POST', call: 'delete', body: `active\nboot-id\n@${active}/x`, headers });
  t.match(await edge.point().inspect(), { revision: 5, drift: [] }, 'what is in force can not be deleted');
});

t.test('another server where NGINX should be is told from it', async (t) => {
  const edge = await startEdge(t);
  const answers: [string, number, string][] = [
    ['a page', 200, '<html>hello</html>'],
    ['a page that is not found', 404, '<html>none</html>'],
    ['an error that is JSON', 500, '{"error":"x"}'],
    ['JSON of somebody else', 200, '{}'],
    ['a list', 200, '[]'],
    ['null', 200, 'null'],
    ['a state that is none', 200, '{"bootId":1,"writer":2,"active":3}'],
  ];
  for (const [name, status, body] of answers) {
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const point = edge.point({ push: `http://127.0.0.1:${port}` });
    const refused = { code: 'EDW_ERR_POINT_REFUSED', mend: /http\.conf/ };
    await t.rejects(point.inspect(), refused, `${name}: inspect`);
    await t.rejects(point.apply(smallPolicy({ revision: 1 })), refused, `${name}: apply`);
    await t.rejects(point.probe(), refused, `${name}: probe`);
  }
});

t.test('a server that never answers, and one that speaks no HTTP, are unreachable', async (t) => {
  const edge = await startEdge(t);
  for (const [name, words] of [
    ['silent', ''],
    ['no HTTP', 'SSH-2.0-x\r\n'],
  ] as const) {
    const server = createTcpServer((socket) => socket.on('error', () => {}).write(words));
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const point = edge.point({ push: `http://127.0.0.1:${port}`, timeoutMs: 200 });
    await t.rejects(point.inspect(), { code: 'EDW_ERR_POINT_UNREACHABLE' }, name);
    await point.close();
    server.close();
  }
  const nobody = edge.point({ push: `http://127.0.0.1:${await freePort()}` });
  await t.rejects(nobody.probe(), { code: 'EDW_ERR_POINT_UNREACHABLE' }, 'nobody listens');
});

claim('an answer that is lost leaves a whole policy in force, also after the collector ran', async (t, on) => {
  // The first push of the driver: begin, set, switch.
  for (const lost of [1, 2, 3]) {
    const edge = await on.startEdge(t);
    const proxy = await startCuttingProxy(edge.pushUrl);
    t.teardown(proxy.close);
    const point = edge.point({ push: proxy.url, collectAfterMs: 10 });
    await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
    proxy.loseAnswerOfWrite(lost);
    await t.rejects(point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.2'] })), {
      code: 'EDW_ERR_POINT_UNREACHABLE',
    });
    proxy.mend();
    const third = smallPolicy({ revision: 3, allow: ['127.0.0.2', '127.0.0.3'] });
    const other = edge.point({ collectAfterMs: 10 });
    const second = smallPolicy({ revision: 2, allow: ['127.0.0.2'] });
    // The first driver clears away what it left half done, and may come in between; whoever pushes tries again.
    t.ok(
      await eventually(() => other.apply(second).then(() => true, takenOnly)),
      `answer ${lost}: another driver goes on`,
    );
    // Time for the first driver's collector, which believes revision 1 to be in force.
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.strictSame(
      [await statusOf(edge, ALLOWED), await statusOf(edge, OTHER)],
      [403, 200],
      `answer ${lost}: revision 2`,
    );
    t.ok(
      await eventually(() => point.apply(third).then(() => true, takenOnly)),
      `answer ${lost}: the next push is taken`,
    );
    t.match(await edge.point().inspect(), { revision: 3, drift: [] }, `answer ${lost}: and whole`);
  }
});

claim('a restart of NGINX in the middle of a push leaves nothing of it in force', async (t, on) => {
  for (const [name, write] of [
    ['begins', 1],
    ['writes', 2],
    ['switches', 3],
  ] as const) {
    const edge = await on.startEdge(t);
    const proxy = await startCuttingProxy(edge.pushUrl);
    t.teardown(proxy.close);
    // The call waits as long as the restart takes.
    const point = edge.point({ push: proxy.url, timeoutMs: 60_000 });
    await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
    proxy.beforeWrite(write, edge.restart);
    const second = smallPolicy({ revision: 2, allow: ['127.0.0.2'] });
    await t.rejects(point.apply(second), { code: 'EDW_ERR_POINT_RESTARTED' }, `as it ${name}`);
    t.strictSame([await statusOf(edge, ALLOWED), await statusOf(edge, OTHER)], [200, 403], 'the last-known one is');
    await point.apply(second);
    t.strictSame([await statusOf(edge, ALLOWED), await statusOf(edge, OTHER)], [403, 200], 'until the next push');
  }
});

claim('two services at one point: whatever they push at once, what is in force is whole', async (t, on) => {
  const edge = await on.startEdge(t);
  const points = [edge.point({ collectAfterMs: 5 }), edge.point({ collectAfterMs: 5 })];
  const codes: Record<string, number> = {};
  for (let round = 1; round <= 30; round += 1) {
    const revision = round * 2;
    const pushes = points.map((point, index) =>
      point.apply(smallPolicy({ revision: revision + (index % 2), allow: ['127.0.0.1', `127.9.${round}.${index}`] })),
    );
    for (const outcome of await Promise.allSettled(pushes)) {
      const thrown: unknown = outcome.status === 'rejected' ? outcome.reason : null;
      const code = thrown instanceof EdgewardError ? thrown.code : thrown === null ? 'applied' : String(thrown);
      codes[code] = (codes[code] ?? 0) + 1;
    }
    t.strictSame([await statusOf(edge, ALLOWED), await statusOf(edge, OTHER)], [200, 403], `round ${round}`);
  }
  t.comment(JSON.stringify(codes));
  const known = ['applied', 'EDW_ERR_POINT_TAKEN', 'EDW_ERR_REVISION_OLDER'];
  t.strictSame(
    Object.keys(codes).filter((code) => !known.includes(code)),
    [],
    'only refusals that say what happened',
  );
  const last = smallPolicy({ revision: 100, allow: ['127.0.0.2'] });
  for (const point of points) {
    // The other's collector may come in between; whoever pushes tries again.
    const applied = (): Promise<boolean> => point.apply(last).then(() => true, takenOnly);
    t.ok(await eventually(applied), 'each gets its turn');
  }
  for (const point of points) t.match(await point.inspect(), { revision: 100, drift: [] }, 'and both see it whole');
});
