/** What design §8 says of each failure, on real parts. */
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { freePort, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { preparePlace, startAt, startIn, sumOf } from './running-service.ts';
import { ask, crm, dev, site, stranger, workload } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);

t.test('a wrong push token is told, and healed as soon as it is corrected', async (t) => {
  const edge = await startEdge(t);
  await writeFile(edge.paths.tokenFile, `${'f'.repeat(48)}\n`);
  // NGINX reads its own copy, as it does where the two were mixed up.
  const nginxToken = join(edge.paths.folder, 'nginx-token');
  await writeFile(nginxToken, `${edge.token}\n`);
  const httpConf = join(edge.paths.snippets, 'http.conf');
  await writeFile(httpConf, (await readFile(httpConf, 'utf8')).replaceAll(edge.paths.tokenFile, nginxToken));
  await edge.reload();
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  const point = await eventually('it is told', async () => {
    const [point] = (await it.status()).points;
    return point?.lastError == null ? null : point;
  });
  t.match(point, {
    state: 'behind',
    appliedRevision: null,
    lastError: { code: 'EDW_ERR_POINT_TOKEN', mend: /tokenFile.*edgeward_token_file/ },
  });
  t.match((await it.status()).headline, /^NOT ENFORCING: no point holds a policy \(edge-1\)/);
  t.equal((await ask(edge.port, crm)).status, 403);
  await writeFile(edge.paths.tokenFile, `${edge.token}\n`);
  await until('it is in force', async () => (await it.status()).points[0]?.state === 'current');
  t.equal((await it.status()).points[0]?.lastError, null);
  t.equal((await ask(edge.port, crm)).status, 200);
});

t.test('a policy directory that goes away changes nothing, and one that comes back is read', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  const { policies, folder } = it.place;
  await rename(policies, join(folder, 'elsewhere'));
  const away = await eventually('it is told', async () => {
    const { policy } = await it.status();
    return policy.state === 'last-known-good' ? policy : null;
  });
  t.match(away, { revision: 1, errors: [{ code: 'EDW_ERR_POLICY_DIR' }] });
  t.equal((await it.get('/readyz', null)).status, 200);
  t.equal(sumOf(await it.metrics(), 'edgeward_policy_stale'), 1);
  t.strictSame([(await ask(edge.port, crm)).status, (await ask(edge.port, stranger)).status], [200, 403]);
  await rename(join(folder, 'elsewhere'), policies);
  await until('it is current again', async () => (await it.status()).policy.state === 'current');
  t.equal((await it.status()).policy.revision, 1);
  await it.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
  await until('and edits are seen again', async () => (await ask(edge.port, dev)).status === 200);
});

t.test('a restart with a broken directory, or none, enforces the last-known-good policy and says so', async (t) => {
  const edge = await startEdge(t);
  const first = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  await first.stop();
  // NGINX starts too, and without what it was left: only the service knows the policy now.
  await rm(edge.paths.lastKnownFile);
  await edge.restart();
  t.equal((await ask(edge.port, crm)).status, 403);
  await writeFile(join(first.place.policies, 'shop.yaml'), 'kind: Policy\nname: shop\nrulez: []\n');
  const second = await startAt(t, first.place);
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  t.equal((await ask(edge.port, stranger)).status, 403);
  // The request is judged by the push; that the push succeeded is known a moment later.
  await until('it is known to be in force', async () => (await second.status()).points[0]?.state === 'current');
  const { policy, headline } = await second.status();
  t.match(policy, { state: 'last-known-good', revision: 1 });
  t.ok(
    policy.errors.some(({ code, file, line }) => code === 'EDW_ERR_UNKNOWN_KEY' && file === 'shop.yaml' && line === 3),
  );
  t.equal(headline, 'ENFORCING 1 object, on the last-known-good policy');
  await second.stop();
  await rm(first.place.policies, { recursive: true });
  const third = await startAt(t, first.place);
  await until('it is told', async () => (await third.status()).policy.errors[0]?.code === 'EDW_ERR_POLICY_DIR');
  t.equal((await ask(edge.port, crm)).status, 200);
  await mkdir(first.place.policies);
  for (const [file, text] of Object.entries(site)) await third.write(file, text);
  await until('repaired, it is current', async () => (await third.status()).policy.state === 'current');
});

t.test('an NGINX that was restarted empty has its policy back, and that is counted', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  await edge.restart();
  await until('it is seen', async () => (await it.status()).points[0]?.refills === 1);
  await until('it is in force', async () => (await it.status()).points[0]?.state === 'current');
  t.strictSame([(await ask(edge.port, crm)).status, (await ask(edge.port, stranger)).status], [200, 403]);
  t.match((await it.status()).points[0], { appliedRevision: 1, drift: { count: 0 }, lastError: null });
  t.equal(sumOf(await it.metrics(), 'edgeward_point_refills_total', { point: 'edge-1' }), 1);
});

t.test('a policy changed behind our back is put right, and counted', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  const { body } = await edge.push({ call: 'state' });
  const { bootId, writer, active } = body as {
    bootId: string;
    writer: string;
    active: { generation: string; hash: string };
  };
  const other = `${'0'.repeat(12)} 1 ${'0'.repeat(64)}`;
  const headers = { 'edgeward-boot-id': bootId, 'edgeward-writer': writer };
  t.equal((await edge.push({ method: 'POST', call: 'switch', headers, body: other })).status, 200);
  t.equal((await ask(edge.port, crm)).status, 403, 'tampered with');
  await until('it is put right', async () => (await ask(edge.port, crm)).status === 200);
  t.match((await it.status()).points[0]?.drift, { count: 1, last: { action: 'repair' } });
  t.match((await edge.push({ call: 'state' })).body, { active: { hash: active.hash } });
});

t.test('a port in use ends the start with what to do, and holds nothing back', async (t) => {
  const edge = await startEdge(t);
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => void other.close());
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site, port });
  await t.rejects(startAt(t, place), {
    code: 'EDW_ERR_PORT_IN_USE',
    message: new RegExp(`:${port}`),
    mend: /ss -ltnp/,
  });
  other.close();
  await once(other, 'close');
  const it = await startAt(t, place);
  await until('started in the same folder, it works', async () => (await ask(edge.port, crm)).status === 200);
  t.equal((await it.status()).policy.state, 'current');
});

t.test('a state folder that cannot be written ends the start with what to do', async (t) => {
  const edge = await startEdge(t);
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  // Root may write anywhere, so a file stands where a folder should.
  await writeFile(place.stateDir, '');
  await t.rejects(startAt(t, place), { code: 'EDW_ERR_STATE_WRITE', message: new RegExp(place.stateDir), mend: /\w/ });
  await rm(place.stateDir);
  await mkdir(place.stateDir);
  await writeFile(join(place.stateDir, 'cache'), '');
  await t.rejects(startAt(t, place), { code: 'EDW_ERR_STATE_WRITE', message: /cache/ });
});

t.test('a second service on the same state folder is refused, and leaves the first alone', async (t) => {
  const edge = await startEdge(t);
  const first = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site, stateDir: first.place.stateDir });
  await t.rejects(startAt(t, place), { code: 'EDW_ERR_STATE_IN_USE', mend: /stateDir/ });
  await first.write('crm-2.yaml', workload('crm-2', dev, 'prod'));
  await until('the first goes on', async () => (await ask(edge.port, dev)).status === 200);
});

t.test('state that can no longer be written is counted, and revocations still take effect', async (t) => {
  const edge = await startEdge(t);
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  const cache = join(it.place.stateDir, 'cache');
  await rename(cache, `${cache}-gone`);
  await writeFile(cache, '');
  await it.write('crm-1.yaml', workload('crm-1', crm, 'dev'));
  await until('crm-1 is out', async () => (await ask(edge.port, crm)).status === 403);
  t.ok((sumOf(await it.metrics(), 'edgeward_state_write_failures_total') ?? 0) > 0);
});

t.test('a zone that is too small keeps the old policy and says how large it must be', async (t) => {
  const edge = await startEdge(t, { zoneSize: '128k' });
  const it = await startIn(t, { edges: { 'edge-1': edge }, files: site });
  await until('crm-1 passes', async () => (await ask(edge.port, crm)).status === 200);
  const crowd = Array.from({ length: 12_000 }, (_, i) => ({
    kind: 'Workload',
    name: `w-${i}`,
    labels: { app: 'crm', env: 'prod' },
    addresses: [`10.${i >> 6}.${(i & 63) * 4}.9`],
  }));
  await it.write('crowd.ndjson', crowd.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const error = await eventually('it is told', async () => (await it.status()).points[0]?.lastError ?? null);
  t.match(error, { code: 'EDW_ERR_ZONE_TOO_SMALL', message: /zone=edgeward:\d+m/, mend: /zone=edgeward:\d+m/ });
  t.strictSame([(await ask(edge.port, crm)).status, (await ask(edge.port, stranger)).status], [200, 403]);
  await it.remove('crowd.ndjson');
  // So many sources at once are not taken away without a person, in force or not.
  const held = await eventually('it is held', async () => (await it.status()).policy.held);
  t.equal((await it.post('/v1/accept', { revision: held.revision })).status, 200);
  await until('without the crowd it fits', async () => (await it.status()).points[0]?.state === 'current');
});
