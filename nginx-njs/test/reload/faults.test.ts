import { once } from 'node:events';
import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, rawRequest, requireNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { createReloadPace } from '../../driver/reload/index.ts';
import { frontDocument, smallPolicy } from '../fixtures/policies.ts';
import { eventually } from '../server/real-nginx.ts';
import { type ReloadStand, startedStand } from './reload-stand.ts';

await requireNginx(t, 'debian-12');

const open = (revision: number): CompiledPolicy => smallPolicy({ revision, allow: ['127.0.0.1'] });
const shut = (revision: number): CompiledPolicy => smallPolicy({ revision });
const status = async ({ ports }: ReloadStand, source = '127.0.0.1'): Promise<number> => {
  const bytes = `GET / HTTP/1.1\r\nHost: x\r\nX-Test-Source: ${source}\r\nConnection: close\r\n\r\n`;
  return (await rawRequest({ port: ports['order-front'] ?? 0, bytes })).status;
};

// Most of it is waiting for workers to be replaced.
t.jobs = 3;
const claim = (name: string, prove: (t: Test) => Promise<void>): unknown => t.test(name, { buffered: true }, prove);

claim('a configuration that NGINX refuses keeps the policy, on disk too, until it is mended', async (t) => {
  const stand = await startedStand(t);
  await stand.first.apply(open(1));
  const before = await readdir(stand.snapshots);
  await stand.configure({ extra: 'nonsense;' });
  await t.rejects(stand.first.apply(shut(2)), {
    code: 'EDW_ERR_NGINX_CONFIG',
    message: /unknown directive "nonsense"/,
  });
  t.equal(await status(stand), 200, 'the old policy is in force');
  t.strictSame(await readdir(stand.snapshots), before, 'and nothing of the new one is left');
  t.match(await stand.first.inspect(), { state: 'loaded', revision: 1, drift: [], unfinished: [] });
  await stand.configure({});
  await stand.first.apply(shut(2));
  t.equal(await status(stand), 403);
  t.match(stand.first.snapshot(), { reloads: 2, failures: 0, nextAt: null }, 'nothing was reloaded in vain');
});

claim('a reload that does not take keeps the policy, on disk too', async (t) => {
  const stand = await startedStand(t);
  await stand.first.apply(open(1));
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  await stand.configure({ extra: `server { listen 127.0.0.1:${(taken.address() as { port: number }).port}; }` });
  const impatient = stand.point({ process: { ...stand.process, reload: () => stand.processWithin(1000).reload() } });
  await t.rejects(impatient.apply(shut(2)), { code: 'EDW_ERR_NGINX_RELOAD' });
  t.match(impatient.snapshot(), { reloads: 0, failures: 1 });
  t.equal(await status(stand), 200);
  t.match(await stand.first.inspect(), { revision: 1, drift: [], unfinished: [] });
});

claim('an NGINX that includes another folder is told apart from one that obeys', async (t) => {
  const stand = await startedStand(t);
  const elsewhere = join(stand.folder, 'elsewhere');
  const astray = stand.point({ folder: elsewhere });
  await astray.prepare();
  await t.rejects(astray.apply(open(1)), { code: 'EDW_ERR_NGINX_SNAPSHOT', message: new RegExp(elsewhere) });
  t.equal(await status(stand), 403, 'what it reads denies as before');
});

claim('what NGINX can not judge by itself is refused whole, and names object and rule', async (t) => {
  const stand = await startedStand(t);
  await stand.first.apply(open(1));
  const withPaths = smallPolicy({ revision: 2, allow: ['127.0.0.1'], http: [{ path: '/v1/*' }] });
  await t.rejects(stand.first.apply(withPaths), {
    code: 'EDW_ERR_NGINX_NEEDS_NJS',
    message: /rule r of object order-front: it has HTTP conditions/,
    mend: /Narrow `to` of the rule/,
  });
  const behindProxies = compileDocuments(
    [{ ...(frontDocument('order-front', 'enforce') as object), trustedProxies: ['192.0.2.0/28'] }],
    { revision: 2 },
  );
  await t.rejects(stand.first.apply(behindProxies), { message: /object order-front: it has trustedProxies/ });
  t.equal(await status(stand), 200, 'the old policy is in force');
  t.match(await stand.first.inspect(), { revision: 1, drift: [], unfinished: [] });
});

claim('a revision that changes nothing here costs no reload, and counts', async (t) => {
  const stand = await startedStand(t);
  await stand.first.apply(open(1));
  t.match(await stand.first.apply(open(5)), { revision: 5, writes: 1 });
  t.match(stand.first.snapshot(), { reloads: 1, takenAt: Number });
  const heir = stand.point();
  t.match(await heir.inspect(), { state: 'loaded', revision: 5 });
  await t.rejects(heir.apply(shut(4)), { code: 'EDW_ERR_REVISION_OLDER' });
  await heir.apply(shut(6));
  t.match(await heir.inspect(), { revision: 6, drift: [] }, 'the note was of the snapshot before');
});

claim('changes that come while a reload has to wait go with it, the newest of them', async (t) => {
  const stand = await startedStand(t);
  const point = stand.point({ pace: createReloadPace({ reloadsPerHour: 3600, minSecondsBetween: 2 }) });
  await point.apply(open(1));
  const waiting = point.apply(shut(2));
  for (const policy of [open(3), shut(4), open(5)]) point.expect(policy);
  point.expect(smallPolicy({ revision: 6, http: [{ path: '/v1/*' }] }));
  t.match(await waiting, { revision: 2 }, 'one that can not be judged here is none');
  t.match(point.snapshot(), { reloads: 2, failures: 0 });
  t.equal(await status(stand), 403);
});

claim('a point that is closed while it waits has written nothing', async (t) => {
  const stand = await startedStand(t);
  const point = stand.point({ pace: createReloadPace({ reloadsPerHour: 2, minSecondsBetween: 3600 }) });
  await point.apply(open(1));
  const waiting = point.apply(shut(2));
  const outcome = waiting.then(
    () => 'applied',
    (error: { code: string }) => error.code,
  );
  const before = await readdir(stand.snapshots);
  await point.close();
  t.equal(await outcome, 'EDW_ERR_POINT_UNREACHABLE');
  t.strictSame(await readdir(stand.snapshots), before);
});

claim('NGINX that was killed comes back with its policy while the service is away', async (t) => {
  const stand = await startedStand(t);
  await stand.first.apply(open(1));
  await stand.restart();
  t.equal(await status(stand), 200);
  t.equal(await status(stand, '198.51.100.9'), 403);
});

claim('files that are missing, unreadable or damaged never open anything', async (t) => {
  const stand = await startedStand(t);
  await stand.first.apply(shut(1));
  const current = join(stand.snapshots, 'current');
  const whole = await readFile(join(current, 'http.conf'), 'utf8');
  const table: [claim: string, harm: () => Promise<void>, undo: () => Promise<void>][] = [
    ['no link', () => rename(current, `${current}-away`), () => rename(`${current}-away`, current)],
    ['no http.conf', () => rm(join(current, 'http.conf')), () => writeFile(join(current, 'http.conf'), whole)],
    [
      'an empty http.conf',
      () => writeFile(join(current, 'http.conf'), ''),
      () => writeFile(join(current, 'http.conf'), whole),
    ],
    [
      'half of it',
      () => writeFile(join(current, 'http.conf'), whole.slice(0, 300)),
      () => writeFile(join(current, 'http.conf'), whole),
    ],
  ];
  for (const [claim, harm, undo] of table) {
    await harm();
    await t.rejects(stand.test(), { code: 'EDW_ERR_NGINX_CONFIG' }, `${claim}: NGINX refuses to read it`);
    t.equal(await status(stand), 403, `${claim}: what it has stays`);
    const found = await stand.first.inspect();
    t.ok(found.state === 'loaded' && found.drift.length > 0, `${claim}: seen`);
    await undo();
  }
  // Root reads what is closed to everybody, and the master of NGINX mostly is root.
  if (process.getuid?.() === 0) return;
  await chmod(join(current, 'http.conf'), 0);
  await t.rejects(stand.test(), { code: 'EDW_ERR_NGINX_CONFIG' }, 'unreadable: NGINX refuses to read it');
});

claim('a snapshot that is damaged is made anew, and never reloaded as it is', async (t) => {
  const stand = await startedStand(t);
  await stand.first.apply(shut(1));
  await rm(join(stand.snapshots, 'current/http.conf'));
  await stand.first.apply(shut(1));
  t.match(await stand.first.inspect(), { state: 'loaded', revision: 1, drift: [], unfinished: [] });
  await rm(join(stand.snapshots, 'current'));
  await stand.first.apply(shut(1));
  t.match(await stand.first.inspect(), { state: 'loaded', revision: 1, drift: [], unfinished: [] });
});

claim('workers that are left over are told until they are gone', async (t) => {
  const stand = await startedStand(t, { workers: 1 });
  await stand.first.apply(open(1));
  const held = connect(stand.ports['order-front'] ?? 0, '127.0.0.1');
  t.teardown(() => held.destroy());
  held.write('GET / HT');
  // A worker that has answered a later connection has taken the earlier one too.
  await once(held, 'connect');
  await status(stand);
  await stand.first.apply(shut(2));
  t.equal(stand.first.oldWorkers(), 1);
  held.destroy();
  const gone = async (): Promise<boolean> => {
    await stand.first.inspect();
    return stand.first.oldWorkers() === 0;
  };
  t.ok(await eventually(gone), 'gone with their last connection');
});
