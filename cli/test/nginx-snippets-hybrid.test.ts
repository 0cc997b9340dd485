/** `edgeward nginx snippets` for a point in mode hybrid, as docs/nginx-hybrid.md has it: there and back under the same names. */
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run } from './fixtures/run.ts';

t.test('the names of the files stay, whichever mode the point is in', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-snippets-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const page = readFileSync(new URL('../../docs/nginx-hybrid.md', import.meta.url), 'utf8');
  const points = /^```yaml\n(points:\n[\s\S]*?)```$/m.exec(page)?.[1] ?? '';
  const config = join(folder, 'edgeward.yaml');
  const out = join(folder, 'out');
  const snippets = async (text: string): Promise<{ said: string; http: string; protect: string }> => {
    writeFileSync(config, `stateDir: state\n${text}`);
    const { code, out: said } = await run(['nginx', 'snippets', '--config', config, '--point', 'edge-1', '--out', out]);
    t.equal(code, 0);
    const read = (name: string): string => readFileSync(join(out, name), 'utf8');
    return { said, http: read('http.conf'), protect: read('protect.conf') };
  };
  const snapshots = join(folder, 'state/points/edge-1/snapshot');

  const hybrid = await snippets(points);
  t.match(hybrid.said, `Start \`edgeward serve\` first: it makes ${snapshots}/current`);
  t.ok(hybrid.http.endsWith(`\ninclude ${out}/hybrid.conf;\n`));
  t.match(hybrid.protect, `include ${snapshots}/current/check.conf;`);
  t.match(readFileSync(join(out, 'hybrid.conf'), 'utf8'), `js_var $edgeward_snapshots ${snapshots};`);

  const live = await snippets('points: { edge-1: {} }\n');
  t.notMatch(`${live.said}${live.http}${live.protect}`, /snapshot|hybrid\.conf/);
});
