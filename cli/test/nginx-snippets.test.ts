/** `edgeward nginx snippets`, as root runs it in a folder of the service's user. */
import { linkSync, lstatSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
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
