/** What `edgeward nginx check` says of a server in mode hybrid, and what a person sees on a real NGINX. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Review, reviewDump } from '@edgeward/nginx-njs';
import { type Edge, type EdgeServer, rawRequest, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { smallPolicy } from '../fixtures/policies.ts';

await requireNginx(t);

const BY_HAND = `set $edgeward_server order-front; set $edgeward_port 443;
if (-f $edgeward_clean/$edgeward_server) { set $edgeward_said $edgeward_native; }
if ($edgeward_refused) { return 403 "no"; }`;
const CACHE = 'open_file_cache max=100; open_file_cache_errors on;';

async function check(edge: Edge): Promise<Review> {
  const [program = '', ...args] = edge.binary.command;
  const flags = ['-T', '-q', '-e', 'stderr', '-p', edge.paths.folder, '-c', edge.paths.configFile];
  const { stdout } = await promisify(execFile)(program, [...args, ...flags], { maxBuffer: 16 << 20 });
  return reviewDump({ dump: stdout, policy: null, denyLog: null, open: [], mode: 'hybrid' });
}

const cases: { claim: string; server: EdgeServer; extra: string; stale: boolean }[] = [
  {
    claim: 'by hand, below a cache of a minute, who is no longer allowed is let in',
    server: { name: 'order-front', protect: false, extra: BY_HAND },
    extra: CACHE,
    stale: true,
  },
  { claim: 'the snippet is not touched by that', server: { name: 'order-front' }, extra: CACHE, stale: false },
  {
    claim: 'by hand without a cache is as good',
    server: { name: 'order-front', protect: false, extra: BY_HAND },
    extra: '',
    stale: false,
  },
];

for (const { claim, server, extra, stale } of cases) {
  t.test(claim, async (t) => {
    // One worker, as each remembers for itself.
    const edge = await startEdge(t, { hybrid: { cachedCheck: false }, servers: [server], extra, workers: 1 });
    const point = edge.hybrid();
    const bytes = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const status = async (): Promise<number> => (await rawRequest({ port: edge.port, bytes })).status;
    await point.apply(smallPolicy({ revision: 1, allow: ['127.0.0.1'] }));
    await point.takeSnapshot();
    t.equal(await status(), 200);
    await point.apply(smallPolicy({ revision: 2 }));
    t.equal(await status(), stale ? 200 : 403);
    const { findings, servers } = await check(edge);
    t.strictSame(
      findings.filter(({ severity }) => severity === 'error').map(({ code }) => code),
      stale ? ['EDW_ERR_NGINX_STALE_FLAGS'] : [],
    );
    t.match(
      servers.find(({ state }) => state === 'protected'),
      { object: 'order-front' },
    );
  });
}

t.test('a server with an open_file_cache of its own is refused by NGINX itself, and the old one stays', async (t) => {
  const edge = await startEdge(t, { hybrid: { cachedCheck: false } });
  await edge.configure({ servers: [{ name: 'order-front', extra: CACHE }] });
  await t.rejects(edge.reload(), /open_file_cache" directive is duplicate/);
});

t.test('a map that lets in more than the snapshot is an error', async (t) => {
  const edge = await startEdge(t, { hybrid: { cachedCheck: false } });
  const conf = join(edge.paths.snippets, 'hybrid.conf');
  const text = await readFile(conf, 'utf8');
  const right = 'default $edgeward_denied;';
  for (const wrong of ['default 0;', `${right}\n    "" 0;`]) {
    await writeFile(
      conf,
      text.replace(right, () => wrong),
    );
    const { findings } = await check(edge);
    t.match(
      findings.find(({ severity }) => severity === 'error'),
      { code: 'EDW_ERR_NGINX_FAILS_OPEN' },
      wrong,
    );
  }
});
