/** The units that pages name: each is in the tree, runs a command that there is, with the file that its page has, and systemd knows every word. */
import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { run } from '../../cli/test/fixtures/run.ts';
import { page } from './markdown.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const units: [path: string, named: string, command: string, stateDir: string][] = [
  ['sync-service/edgeward.service', 'docs/nginx.md', 'serve', '/var/lib/edgeward'],
  ['audit-collector/edgeward-collector.service', 'docs/collector.md', 'collect', '/var/lib/edgeward-collector'],
  ['central-store/edgeward-store.service', 'docs/store.md', 'store serve', '/var/lib/edgeward-store'],
  ['deny-forwarder/edgeward-forwarder.service', 'docs/forwarder.md', 'forward', '/var/lib/edgeward-forwarder'],
];
const call = promisify(execFile);

for (const [path, named, command, stateDir] of units) {
  t.test(`${path} runs a command that there is, as its page says`, async (t) => {
    const unit = await readFile(join(root, path), 'utf8');
    const [, given, config = ''] = /^ExecStart=\/usr\/bin\/edgeward (\w+(?: \w+)?) --config (\S+)$/m.exec(unit) ?? [];
    t.equal(given, command);
    t.match((await run([...command.split(' '), '--help'])).out, '--config FILE');
    t.ok(page(named).includes(`(../${path})`), `${named} leads to it`);
    t.ok(page(named).includes(config), `${named} says ${config}`);
    const writes = /^(?:ReadWritePaths=|StateDirectory=)(\S+)$/m.exec(unit)?.[1] ?? '';
    t.equal(join('/var/lib', writes.replace('/var/lib/', '')), stateDir, 'where it may write');
    t.match(page('docs/configuration.md'), `"${stateDir}`, 'which is the default');
  });
}

const version = await call('systemd-analyze', ['--version']).catch(() => null);

t.test('systemd knows every word of each', { skip: version === null && 'no systemd-analyze' }, async (t) => {
  const folder = t.testdir({});
  // A program has to be there, and the name of a unit is that of its file.
  const program = join(folder, 'edgeward');
  await writeFile(program, '#!/bin/sh\n');
  await chmod(program, 0o755);
  for (const [path] of units) {
    const copy = join(folder, path.replace(/.*\//, ''));
    const unit = await readFile(join(root, path), 'utf8');
    await writeFile(copy, unit.replace('/usr/bin/edgeward ', `${program} `));
    const { stdout, stderr } = await call('systemd-analyze', ['verify', '--man=no', copy]);
    t.equal(stdout + stderr, '', path);
  }
});
