/** Mode hybrid on a real NGINX: who is let in without the module, and that nothing is let in a moment longer. */
import { mkdir, readdir, readFile, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSnippets } from '@edgeward/nginx-njs';
import { sha256Hex } from '@edgeward/runtime';
import { type Edge, rawRequest, requireNginx, startEdge } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { smallPolicy } from '../fixtures/policies.ts';

const request = 'GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n';

await requireNginx(t);

async function stand(t: Test, cachedCheck = false): Promise<{ edge: Edge; from(address: string): Promise<number> }> {
  const edge = await startEdge(t, { hybrid: { cachedCheck } });
  const from = async (localAddress: string): Promise<number> =>
    (await rawRequest({ port: edge.port, bytes: request, localAddress })).status;
  return { edge, from };
}

/** Requests that the module judged as allowed. */
async function asked(edge: Edge): Promise<number> {
  const { counts } = (await edge.push({ call: 'counts' })).body as { counts: [string, number][] };
  return counts.find(([key]) => key.includes('\tallow\t'))?.[1] ?? 0;
}

t.test('whom the snapshot allows is let in without the module, and everybody else is judged by it', async (t) => {
  const { edge, from } = await stand(t);
  const point = edge.hybrid();
  t.equal(await from('127.0.0.1'), 403, 'nobody before there is a policy');
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.0/30'] }));
  t.equal(await from('127.0.0.1'), 200);
  t.equal(await asked(edge), 1, 'before there is a snapshot the module is asked');
  await point.takeSnapshot();
  t.match(point.snapshot(), { slow: null, reloads: 1, failures: 0, lastError: null, generation: String });
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.2'), await from('127.0.0.9')], [200, 200, 403]);
  t.equal(await asked(edge), 1, 'and then it is not');
  const denials = await edge.denials();
  t.match(denials.at(-1), { source: '127.0.0.9', reason: 'unknown-source', revision: 1 }, 'a denial leaves its event');

  await point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] }));
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200], 'a change is in force at once');
  t.match(point.snapshot(), { slow: { objects: 1 } });
  t.equal(await asked(edge), 2, 'by the module');
  await point.takeSnapshot();
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200]);
  t.equal(await asked(edge), 2, 'and again without');
  t.match(await point.inspect(), { state: 'loaded', revision: 2, drift: [] });
});

t.test('an object that did not change is let in without the module while another is asked about', async (t) => {
  const edge = await startEdge(t, {
    hybrid: { cachedCheck: false },
    servers: [{ name: 'order-front' }, { name: 'crm' }],
  });
  const point = edge.hybrid();
  const [one, other] = [
    smallPolicy({ revision: 1, allow: ['127.0.0.1'], objects: ['order-front', 'crm'] }),
    smallPolicy({ revision: 2, allow: ['127.0.0.2'], objects: ['order-front', 'crm'] }),
  ];
  const changed = { ...other, objects: [...other.objects.slice(0, 1), ...one.objects.slice(1)] };
  await point.apply(one);
  await point.takeSnapshot();
  await point.apply(changed);
  t.match(point.snapshot().slow, { objects: 1 });
  const status = async (name: string): Promise<number> =>
    (await rawRequest({ port: edge.ports[name] ?? 0, bytes: request, localAddress: '127.0.0.1' })).status;
  t.strictSame([await status('crm'), await status('order-front')], [403, 200], 'each as its own revision says');
});

t.test('a proof asks the module, whatever the snapshot says', async (t) => {
  const { edge } = await stand(t);
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await point.takeSnapshot();
  const question = { from: '198.51.100.9', method: 'GET', path: '/', host: null };
  const at = { url: edge.url };
  t.match(await point.prove(question, at), { state: 'judged', judged: { reason: 'unknown-source' } });
  const marked = request.replace('Connection', 'Edgeward-Proof: ../order-front\r\nConnection');
  t.equal((await rawRequest({ port: edge.port, bytes: marked, localAddress: '127.0.0.1' })).status, 200);
  t.equal(await asked(edge), 1, 'a forged mark is judged by the module');
});

t.test('a cached check is waited for', async (t) => {
  const { edge, from } = await stand(t, true);
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await point.takeSnapshot();
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.1')], [200, 200]);
  t.equal(await asked(edge), 0);
  await point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.2'] }));
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.2')], [403, 200]);
});

t.test('what is lost only makes NGINX ask: flags, the zone, the snapshot on disk', async (t) => {
  const { edge, from } = await stand(t);
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await point.takeSnapshot();
  const flags = edge.paths.flags;

  await rm(flags, { recursive: true });
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [200, 403], 'without flags');
  t.equal(await asked(edge), 1);
  await point.takeSnapshot();
  await edge.restart();
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [200, 403], 'after a restart, before a push');
  t.equal(await asked(edge), 0, 'the snapshot stays in force');
  await point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] }));
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200], 'and goes with the next push');
  await edge.restart();
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200], 'an old snapshot is not believed');
  await rm(edge.paths.lastKnownFile);
  await edge.restart();
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 403], 'nor with nothing beside it');
});

t.test('a folder of snapshots that is gone is seen, and NGINX can start again after the next push', async (t) => {
  const { edge, from } = await stand(t);
  const point = edge.hybrid();
  const policy = smallPolicy({ revision: 1, allow: ['127.0.0.1'] });
  await point.apply(policy);
  await point.takeSnapshot();
  await rm(edge.paths.snapshots, { recursive: true });
  t.equal(await from('127.0.0.1'), 200, 'NGINX has it in memory');
  t.match(await point.inspect(), { drift: [/not as it was written/] });
  await point.apply(policy);
  await edge.restart();
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [200, 403]);
  await point.apply(policy);
  await point.takeSnapshot();
  t.match(await point.inspect(), { drift: [] });
});

t.test('a snapshot that NGINX refuses is taken back, and the policy is in force all the same', async (t) => {
  const { edge, from } = await stand(t);
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await point.takeSnapshot();
  const standing = async (): Promise<unknown> => [
    await readlink(join(edge.paths.snapshots, 'current')),
    (await readdir(edge.paths.flags)).sort(),
  ];
  const before = await standing();
  await point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] }));
  const text = await readFile(edge.paths.configFile, 'utf8');
  await writeFile(edge.paths.configFile, text.replace('events {', 'not a directive; events {'));
  await t.rejects(point.takeSnapshot(), { code: 'EDW_ERR_NGINX_CONFIG' });
  t.match(point.snapshot(), { failures: 1, lastError: { code: 'EDW_ERR_NGINX_CONFIG' }, slow: { objects: 1 } });
  t.strictSame(await standing(), before, 'nothing of it is in force, nor vouched for');
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200]);
  await writeFile(edge.paths.configFile, text);
  await point.takeSnapshot();
  t.match(point.snapshot(), { lastError: null, slow: null });
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200]);
});

t.test('flags that can not be taken away keep the old policy, and say so', async (t) => {
  const { edge, from } = await stand(t);
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await point.takeSnapshot();
  const generation = point.snapshot().generation ?? '';
  // Root may take away whatever a mode forbids; a folder in place of a flag stops it too.
  const flag = join(edge.paths.flags, generation, 'stuck');
  await writeFile(join(edge.paths.flags, generation, 'x'), 'x');
  await mkdir(flag);
  await t.rejects(point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] })), { code: 'EDW_ERR_SNAPSHOT_FLAGS' });
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [200, 403], 'revision 1, whole');
  t.match(await point.inspect(), { revision: 1 });
  await rm(edge.paths.flags, { recursive: true });
  await point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] }));
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200]);
});

t.test('a service that does not know of the snapshots is refused', async (t) => {
  const { edge, from } = await stand(t);
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await point.takeSnapshot();
  const live = edge.point();
  await t.rejects(live.apply(smallPolicy({ revision: 2 })), { code: 'EDW_ERR_POINT_SNAPSHOTS' });
  t.equal(await from('127.0.0.1'), 200);
  const elsewhere = edge.hybrid({ snapshot: { folder: '/elsewhere' } });
  await t.rejects(elsewhere.apply(smallPolicy({ revision: 2 })), { code: 'EDW_ERR_POINT_SNAPSHOTS' });
  const heir = edge.hybrid();
  await heir.apply(smallPolicy({ revision: 2 }));
  t.equal(await from('127.0.0.1'), 403, 'one that does takes over');
});

t.test('flags of another folder, where the snapshot in force has NGINX look, go too', async (t) => {
  const { edge, from } = await stand(t);
  const before = edge.hybrid();
  await before.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await before.takeSnapshot();
  const after = edge.hybrid({ snapshot: { flags: join(edge.paths.folder, 'other-flags') } });
  await after.apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] }));
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200]);
  t.match(after.snapshot(), { slow: { objects: 1 } });
  await after.takeSnapshot();
  t.match(after.snapshot(), { slow: null });
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200]);
});

t.test('an NGINX without hybrid.conf is as in mode live, and the point says why', async (t) => {
  const edge = await startEdge(t);
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await t.rejects(point.takeSnapshot(), { code: 'EDW_ERR_SNAPSHOT_INCLUDE' });
  t.equal((await rawRequest({ port: edge.port, bytes: request, localAddress: '127.0.0.1' })).status, 200);
  t.match(point.snapshot(), { generation: null, lastError: { code: 'EDW_ERR_SNAPSHOT_INCLUDE' } });
});

t.test('a flag that somebody brings back counts for nothing longer than until the next look', async (t) => {
  for (const cachedCheck of [false, true])
    await t.test(cachedCheck ? 'remembered' : 'looked for', async (t) => {
      const { edge, from } = await stand(t, cachedCheck);
      const first = edge.hybrid();
      await first.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
      await first.takeSnapshot();
      const generation = `${await readlink(join(edge.paths.snapshots, 'current'))}${cachedCheck ? '.cached' : ''}`;
      const flag = join(edge.paths.flags, generation, 'order-front');
      const old = await readFile(flag);
      const revoked = smallPolicy({ revision: 2, allow: ['127.0.0.2'] });
      await first.apply(revoked);
      t.equal(await from('127.0.0.1'), 403);

      await writeFile(flag, old);
      t.match(await first.inspect(), { drift: [/vouch/] }, 'it is drift');
      await edge.hybrid().apply(revoked);
      t.equal(await from('127.0.0.1'), 403, 'and gone when a service starts, with nothing to push');
      t.match(await first.inspect(), { drift: [] });
    });
});

t.test('a snapshot that another version wrote vouches for nothing, and is replaced', async (t) => {
  const { edge, from } = await stand(t);
  const policy = smallPolicy({ revision: 1, allow: ['127.0.0.1'] });
  const first = edge.hybrid();
  await first.apply(policy);
  await first.takeSnapshot();
  const heir = edge.hybrid();
  await heir.apply(smallPolicy({ revision: 4, allow: ['127.0.0.1'] }));
  t.match(heir.snapshot(), { slow: null }, 'one of the same version stays, also under another revision');

  const folder = await realpath(join(edge.paths.snapshots, 'current'));
  const [file, manifest] = [join(folder, 'http.conf'), join(folder, 'manifest.json')];
  const text = `${await readFile(file, 'utf8')}# of another version\n`;
  const digests = JSON.parse(await readFile(manifest, 'utf8')) as object;
  await writeFile(file, text);
  await writeFile(manifest, JSON.stringify({ ...digests, 'http.conf': sha256Hex(text) }));
  await edge.reload();
  t.equal(await from('127.0.0.1'), 200);
  t.equal(await asked(edge), 0, 'NGINX has it in force');
  const next = edge.hybrid();
  await next.apply(smallPolicy({ revision: 4, allow: ['127.0.0.1'] }));
  t.match(next.snapshot(), { slow: { objects: 1 } });
  t.equal(await from('127.0.0.1'), 200);
  t.equal(await asked(edge), 1, 'the module judges');
  await next.takeSnapshot();
  t.match(next.snapshot(), { slow: null });
  t.equal(await from('127.0.0.1'), 200);
  t.equal(await asked(edge), 1);
});

t.test('flags from before a time in mode live count for nothing when snapshots are included again', async (t) => {
  const { edge, from } = await stand(t);
  const snippets = async (hybrid: string | null): Promise<void> => {
    const { snippets: out, tokenFile, denyLog, lastKnownFile } = edge.paths;
    const listen = `127.0.0.1:${edge.pushPort}`;
    await writeSnippets({ out, listen, tokenFile, denyLog, lastKnownFile, zoneSize: '4m', hybrid });
    await edge.reload();
  };
  const hybrid = edge.hybrid();
  await hybrid.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await hybrid.takeSnapshot();
  await snippets(edge.paths.snapshots);
  t.equal(await asked(edge), 0);
  t.equal(await from('127.0.0.1'), 200);
  t.equal(await asked(edge), 0, 'files that are written again change nothing');
  await snippets(null);
  await edge.point().apply(smallPolicy({ revision: 2, allow: ['127.0.0.9'] }));
  await snippets(edge.paths.snapshots);
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.9')], [403, 200], 'before anything was pushed');
});

t.test('a folder of flags that holds something else loses nothing of it', async (t) => {
  const { edge, from } = await stand(t);
  const foreign = join(edge.paths.flags, 'points/edge-1');
  await mkdir(foreign, { recursive: true });
  await writeFile(join(foreign, 'ledger.sqlite'), 'of somebody else');
  await writeFile(join(edge.paths.flags, 'points', 'notes'), 'of somebody else');
  const point = edge.hybrid();
  await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
  await point.takeSnapshot();
  await point.apply(smallPolicy({ revision: 2, allow: ['127.0.0.2'] }));
  await point.takeSnapshot();
  t.strictSame([await from('127.0.0.1'), await from('127.0.0.2')], [403, 200]);
  t.equal(await readFile(join(foreign, 'ledger.sqlite'), 'utf8'), 'of somebody else');
  t.equal(await readFile(join(edge.paths.flags, 'points', 'notes'), 'utf8'), 'of somebody else');
  const { snapshots } = edge.paths;
  t.throws(() => edge.hybrid({ snapshot: { flags: `${snapshots}/` } }), { code: 'EDW_ERR_SNAPSHOT_FLAGS' });
});
