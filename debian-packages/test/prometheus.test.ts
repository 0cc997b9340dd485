import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { findPrometheus, runProgram } from '../src/index.ts';

async function programs(folder: string, server: string, tool: string | null): Promise<void> {
  await mkdir(folder, { recursive: true });
  const scripts = { prometheus: server, ...(tool === null ? {} : { promtool: tool }) };
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
}

const good = (name: string, version: string): string => `echo "${name}, version ${version} (branch: debian/sid)"`;

t.test('the first one on PATH that is new enough is taken, with the promtool beside it', async (t) => {
  const folder = t.testdir();
  await programs(join(folder, 'old'), good('prometheus', '2.39.1'), good('promtool', '2.39.1'));
  await programs(join(folder, 'new'), `${good('prometheus', '2.53.3+ds1')} >&2`, good('promtool', '2.53.3+ds1'));
  const searchPath = `${folder}/none:relative:${folder}/old:${folder}/new`;
  const found = await findPrometheus({ cacheDir: join(folder, 'cache'), searchPath, allowFetch: false });
  t.strictSame(found, {
    prometheus: [join(folder, 'new/prometheus')],
    promtool: [join(folder, 'new/promtool')],
    version: '2.53.3+ds1',
  });
});

t.test('one that can not serve is passed over, with its reason', async (t) => {
  const folder = t.testdir();
  const cases: [string, string, string | null, RegExp][] = [
    ['broken', 'exit 127', null, /broken\/prometheus is no prometheus: exit code 127/],
    ['old', good('prometheus', '2.39.1'), null, /old\/prometheus is version 2\.39\.1, older than 2\.40/],
    ['alone', good('prometheus', '3.5.3'), null, /alone\/promtool is no promtool: .*ENOENT/],
    ['other', good('prometheus', '3.5.3'), 'echo hello', /other\/promtool is no promtool: hello/],
  ];
  for (const [name, server, tool, message] of cases) {
    await programs(join(folder, name), server, tool);
    const options = { cacheDir: join(folder, 'cache'), searchPath: join(folder, name), allowFetch: false };
    const wanted = { code: 'EDW_ERR_PROMETHEUS_NOT_FOUND', message, mend: /apt install prometheus/ };
    await t.rejects(findPrometheus(options), wanted, name);
  }
});

// In the cache that all tests share: 40 MB are not fetched twice to see that they are kept.
const asked = process.env.EDGEWARD_TEST_FETCH === '1' || process.env.CI !== undefined;
const network = asked ? false : 'downloads 40 MB: set EDGEWARD_TEST_FETCH=1, or CI';

t.test('the one that is fetched checks rules, and is used again', { skip: network }, async (t) => {
  const fetched = await findPrometheus({ searchPath: '' });
  t.strictSame(await findPrometheus({ searchPath: '', allowFetch: false }), fetched, 'kept');
  const [program = '', ...args] = fetched.promtool;
  const rules = join(
    t.testdir({ 'rules.yaml': 'groups: [{ name: a, rules: [{ record: "b:c", expr: "1" }] }]' }),
    'rules.yaml',
  );
  t.match(await runProgram(program, [...args, 'check', 'rules', rules], { timeoutMs: 20_000 }), { code: 0 });
});
