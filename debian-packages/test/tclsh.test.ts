import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { findTclsh, runProgram, type TclshCommand } from '../src/index.ts';

const asked = process.env.EDGEWARD_TEST_FETCH === '1' || process.env.CI !== undefined;
const network = asked ? false : 'downloads 3 MB: set EDGEWARD_TEST_FETCH=1, or CI';

/** What needs Tcl to run: the clock, encodings and safe interpreters come from files of the script library. */
const proof = `puts [clock format 0 -gmt 1 -format %Y]
puts [encoding convertfrom cp1252 \\x80]
interp create -safe child
puts [child eval {coroutine c apply {{} { yield; return [info patchlevel] }}; c}]
puts $argv
`;

async function program(folder: string, name: string, script: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, name), 0o755);
}

async function proves(t: Test, folder: string, { command, env }: TclshCommand): Promise<void> {
  const file = join(folder, 'proof.tcl');
  await writeFile(file, proof);
  const [first = '', ...leading] = command;
  const options = { timeoutMs: 20_000, env: { ...env, LC_ALL: 'C.UTF-8' } };
  const run = await runProgram(first, [...leading, file, 'a', 'b c'], options);
  t.match(run, { code: 0, stdout: /^1970\n€\n8\.([6-9]|\d\d)[.\d]*\na \{b c\}\n$/ }, 'scripts run, with their library');
}

t.test('a tclsh on PATH comes first, by its versioned name before the plain one', async (t) => {
  const folder = t.testdir();
  await program(join(folder, 'one'), 'tclsh', 'echo edgeward 9.0.1 1');
  await program(join(folder, 'two'), 'tclsh8.6', 'echo edgeward 8.6.17 1');
  const searchPath = `${folder}/one:relative:${folder}/two`;
  const found = await findTclsh({ cacheDir: join(folder, 'cache'), searchPath, allowFetch: false });
  t.strictSame(found, { command: [join(folder, 'two/tclsh8.6')], env: {} });
});

t.test('a tclsh that can not serve is passed over, with its reason', async (t) => {
  const folder = t.testdir();
  const cases: [string, string, RegExp][] = [
    ['broken', 'exit 127', /broken\/tclsh is no tclsh: exit code 127/],
    ['other', 'echo hello', /other\/tclsh is no tclsh: hello/],
    ['old', 'echo edgeward 8.5.19 1', /old\/tclsh is Tcl 8\.5\.19/],
    ['new', 'echo edgeward 9.0.1 1', /new\/tclsh is Tcl 9\.0\.1/],
    ['bare', 'echo edgeward 8.6.13 0; echo "no init.tcl" >&2', /bare\/tclsh has no script library: no init\.tcl/],
  ];
  for (const [name, script, message] of cases) {
    await program(join(folder, name), 'tclsh', script);
    const options = { cacheDir: join(folder, 'cache'), searchPath: join(folder, name), allowFetch: false };
    await t.rejects(
      findTclsh(options),
      { code: 'EDW_ERR_TCLSH_NOT_FOUND', message, mend: /apt install tcl8\.6/ },
      name,
    );
  }
  t.notOk((await readdir(folder)).includes('cache'), 'looking makes no folder');
});

const here = await findTclsh({ allowFetch: asked }).catch((error) => {
  if (asked) throw error;
  return messageOf(error);
});

t.test('the one of this machine runs scripts', { skip: typeof here === 'string' ? here : false }, async (t) => {
  if (typeof here !== 'string') await proves(t, t.testdir(), here);
});

t.test('one is fetched, runs scripts, is used again, and replaced when damaged', { skip: network }, async (t) => {
  const folder = t.testdir();
  const cacheDir = join(folder, 'a folder with spaces');
  const said: string[] = [];
  const options = { cacheDir, searchPath: '', progress: (message: string) => void said.push(message) };
  const fetched = await findTclsh(options);
  t.match(said, [/^fetching Tcl 8\.6 .* from http/, /^unpacking \d+ packages$/]);
  t.match(fetched.env, { TCL_LIBRARY: /tcl8\.6$/ });
  await proves(t, folder, fetched);
  t.strictSame(await findTclsh({ ...options, allowFetch: false }), fetched, 'kept');
  await rm(join(fetched.env.TCL_LIBRARY ?? '', 'init.tcl'));
  await t.rejects(findTclsh({ ...options, allowFetch: false }), { code: 'EDW_ERR_TCLSH_NOT_FOUND' });
  await proves(t, folder, await findTclsh(options));
  t.equal((await readdir(cacheDir)).length, 1, 'nothing else is left');
});
