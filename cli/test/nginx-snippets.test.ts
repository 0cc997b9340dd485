/** `edgeward nginx snippets`, as root runs it in a folder of the service's user. */
import {
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { run } from './fixtures/run.ts';

/** Not a folder of tap's: its path may hold characters that NGINX does not read as one word. */
async function place(t: Pick<Test, 'teardown'>): Promise<{ folder: string; snippets(): ReturnType<typeof run> }> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-snippets-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'edgeward.yaml');
  writeFileSync(config, 'stateDir: state\npoints: { edge-1: { denyLog: deny.log, tokenFile: push-token } }\n');
  writeFileSync(join(folder, 'victim'), 'x'.repeat(32), { mode: 0o600 });
  const user = process.getuid?.() === 0 ? ['--user', 'nobody'] : [];
  const args = ['nginx', 'snippets', '--config', config, '--point', 'edge-1', '--out', join(folder, 'out'), ...user];
  return { folder, snippets: () => run(args) };
}

t.test('the token is closed to other users, and the deny log is there', async (t) => {
  const { folder, snippets } = await place(t);
  t.strictSame((await snippets()).code, 0);
  t.equal(statSync(join(folder, 'push-token')).mode & 0o777, 0o640);
  t.ok(statSync(join(folder, 'deny.log')).isFile());
  t.strictSame((await snippets()).code, 0, 'again');
});

t.test('no file of somebody else is handed over through a link', async (t) => {
  const links = { symbolic: symlinkSync, hard: linkSync };
  for (const [kind, link] of Object.entries(links)) {
    for (const name of ['deny.log', 'push-token']) {
      const { folder, snippets } = await place(t);
      const victim = join(folder, 'victim');
      link(victim, join(folder, name));
      const before = statSync(victim);
      const { code, err } = await snippets();
      t.equal(code, 78, `${kind} ${name}`);
      t.match(err, /EDW_ERR_STATE_WRITE/);
      t.strictSame([lstatSync(victim).uid, lstatSync(victim).gid], [before.uid, before.gid], `${kind} ${name}`);
    }
  }
});

t.test('a point in reload mode gets its own files, with its own paths, and no token', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-snippets-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'edgeward.yaml');
  const point = '{ mode: reload, push: "http://127.0.0.1:9280", streamPush: "tcp://127.0.0.1:9281" }';
  writeFileSync(config, `stateDir: state\npoints: { edge-1: ${point} }\n`);
  const out = join(folder, 'out');
  const { code, out: said } = await run(['nginx', 'snippets', '--config', config, '--point', 'edge-1', '--out', out]);
  t.equal(code, 0);
  t.match(said, /Start `edgeward serve` first/);
  const stream = ['protect-reload-stream.conf', 'reload-stream.conf'];
  t.strictSame(readdirSync(out).sort(), ['protect-reload.conf', ...stream, 'reload.conf'].sort());
  const text = (name: string): string => readFileSync(join(out, name), 'utf8');
  t.match(text('reload.conf'), `include ${folder}/state/points/edge-1/snapshot/current/http.conf;`);
  t.match(text('reload.conf'), `access_log ${folder}/state/points/edge-1/deny.log edgeward_deny if=$edgeward_log;`);
  t.match(text('reload.conf'), 'listen 127.0.0.1:9280;');
  t.match(text('reload-stream.conf'), /listen 127\.0\.0\.1:9281;[\s\S]*listen 127\.0\.0\.2:9281;/);
  t.notMatch(stream.map(text).join('') + text('reload.conf'), /9180|9181|\/var\/(?:lib|log)\//);
  t.notOk(existsSync(join(folder, 'state/points/edge-1/push-token')));
});

/** Where the service is elsewhere, as docs/nginx.md shows it. */
async function elsewhere(t: Pick<Test, 'teardown'>): Promise<{ out: string; base: string[]; page: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-snippets-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const page = readFileSync(new URL('../../docs/nginx.md', import.meta.url), 'utf8');
  const points = /^```yaml\n(points:\n[\s\S]*?)```$/m.exec(page)?.[1] ?? '';
  const config = join(folder, 'edgeward.yaml');
  writeFileSync(config, `stateDir: state\n${points}`);
  const out = join(folder, 'out');
  return { out, page, base: ['nginx', 'snippets', '--config', config, '--point', 'edge-1', '--out', out] };
}

t.test('where the service is elsewhere the snippets ask for a certificate, as the page says', async (t) => {
  const { out, base, page } = await elsewhere(t);
  const shown = /^edgeward nginx snippets .*(--push-tls .*)$/m.exec(page)?.[1]?.split(' ') ?? [];
  t.strictSame((await run([...base, ...shown, '--push-client', 'CN=other'])).code, 0);
  const written = readFileSync(join(out, 'push-tls.conf'), 'utf8');
  t.match(written, /listen 9180 ssl;[\s\S]*\/etc\/edgeward\/push-tls\/certificate\.pem/);
  t.match(written, /"~\^SUCCESS CN=edgeward\$" 0;\n +"~\^SUCCESS CN=other\$" 0;/);
  t.ok(readFileSync(join(out, 'http.conf'), 'utf8').includes(`include ${out}/push-tls.conf;`));
});

t.test('who may push over TLS is said where pushes come over TLS, and only there', async (t) => {
  const { out, base } = await elsewhere(t);
  const nobody = await run([...base, '--push-tls', '/tls']);
  t.match([nobody.code, nobody.err], [2, /EDW_ERR_PUSH_CLIENT/]);
  const nowhere = await run([...base, '--push-client', 'CN=edgeward']);
  t.match([nowhere.code, nowhere.err], [2, /--push-tls is missing/]);
  t.notOk(existsSync(join(out, 'http.conf')), 'and nothing was written');
  const { folder, snippets } = await place(t);
  t.strictSame((await snippets()).code, 0);
  t.notOk(existsSync(join(folder, 'out/push-tls.conf')), 'on loopback there is no such file');
});

t.test('where the point is pushed to for stream servers, their files come too', async (t) => {
  const { folder, snippets } = await place(t);
  const { out: without } = await snippets();
  t.notOk(existsSync(join(folder, 'out/stream.conf')) || without.includes('stream'), 'and not without');
  const config = readFileSync(join(folder, 'edgeward.yaml'), 'utf8');
  writeFileSync(
    join(folder, 'edgeward.yaml'),
    config.replace('edge-1: {', 'edge-1: { streamPush: "tcp://127.0.0.1:9381",'),
  );
  const { code, out } = await snippets();
  t.equal(code, 0);
  t.match(out, /include \S+\/stream\.conf;[\s\S]*include \S+\/protect-stream\.conf;/);
  const text = readFileSync(join(folder, 'out/stream.conf'), 'utf8');
  for (const part of ['127.0.0.1:9381', 'last-known-stream;', join(folder, 'push-token'), join(folder, 'deny.log')])
    t.ok(text.includes(part), part);
  t.notMatch(text, /9181|\/etc\/edgeward|\/var\/l/, 'nothing of the defaults is left');
  t.ok(existsSync(join(folder, 'out/protect-stream.conf')));
});
