/** The two files that a user includes: only the paths differ from what `conf/` ships, and NGINX takes both. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { layOut } from '../driver/entries.ts';
import { namesUnder } from '../driver/entry-names.ts';
import { testConfig, writeSnippets } from '../driver/index.ts';
import { smallPolicy } from './fixtures/policies.ts';

const binary = await requireNginx(t);
const shipped = (name: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`../conf/${name}`, import.meta.url)), 'utf8');

t.test('the snippets with the default paths are the shipped ones', async (t) => {
  const out = t.testdir();
  await writeSnippets({
    out,
    listen: '127.0.0.1:9180',
    tokenFile: '/etc/edgeward/push-token',
    denyLog: join(out, 'log/deny.log'),
    lastKnownFile: '/var/lib/edgeward/last-known',
    zoneSize: '64m',
  });
  for (const name of ['http.conf', 'protect.conf']) {
    const wanted = (await shipped(name))
      .replaceAll('/etc/edgeward/nginx/', `${out}/`)
      .replaceAll('/var/log/edgeward/deny.log', join(out, 'log/deny.log'));
    t.equal(await readFile(join(out, name), 'utf8'), wanted, name);
  }
});

t.test('every path and size arrives in the snippets, and NGINX takes them', async (t) => {
  const edge = await startEdge(t, { zoneSize: '3m' });
  const text = await readFile(join(edge.paths.snippets, 'http.conf'), 'utf8');
  const { tokenFile, denyLog, lastKnownFile, snippets } = edge.paths;
  for (const part of [tokenFile, denyLog, lastKnownFile, snippets, `127.0.0.1:${edge.pushPort}`, 'zone=edgeward:3m;'])
    t.ok(text.includes(part), part);
  t.notMatch(text, /\/etc\/edgeward|\/var\/l|9180|64m/, 'nothing of the defaults is left');
  await t.resolves(testConfig(binary, edge.paths.folder, edge.paths.configFile));
});

t.test('the zone is declared without eviction, and an empty verdict denies', async (t) => {
  const text = await shipped('http.conf');
  t.notMatch(text, /js_shared_dict_zone[^;]*(evict|timeout)/);
  t.match(text, /default 1;\s+pass {4}0;/);
});

t.test('a path that NGINX would not read as one word is refused', async (t) => {
  const out = t.testdir();
  const good = {
    out,
    listen: '127.0.0.1:1',
    tokenFile: '/t',
    denyLog: `${out}/d`,
    lastKnownFile: '/l',
    zoneSize: '1m',
  };
  for (const bad of ['/a b', '/a;b', '/a$b', 'relative', '/a\nb', '/a"b', '']) {
    for (const key of ['tokenFile', 'denyLog', 'lastKnownFile']) {
      const wanted = { code: 'EDW_ERR_NGINX_PATH', mend: /letters/ };
      await t.rejects(writeSnippets({ ...good, [key]: bad }), wanted, `${key} ${JSON.stringify(bad)}`);
    }
  }
});

t.test('a policy that does not fit into one value is refused before anything is written', async (t) => {
  const policy = smallPolicy({ revision: 1 });
  const [object] = policy.objects;
  t.ok(object);
  const sources = { ...object?.sources, '*4': '0'.repeat(300_000) };
  t.throws(
    () =>
      layOut(
        { ...policy, objects: object === undefined ? [] : [{ ...object, sources }] },
        { nameOf: namesUnder('any') },
      ),
    {
      code: 'EDW_ERR_POINT_CAPACITY',
      message: /order-front/,
    },
  );
});

t.test('a balancer with other servers leaves those alone', async (t) => {
  const edge = await startEdge(t, { servers: [{ name: 'order-front' }, { name: 'open', protect: false }] });
  const answer = await fetch(`http://127.0.0.1:${edge.ports.open}/`, { headers: { connection: 'close' } });
  t.equal(answer.status, 200);
  t.strictSame(await edge.denials(), [], 'no verdict, no event');
  const push = await fetch(`${edge.pushUrl}/`, { headers: { connection: 'close' } });
  t.equal(push.status, 404, 'the push server serves nothing else');
});
