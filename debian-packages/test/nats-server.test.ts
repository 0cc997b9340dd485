import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { findNatsServer } from '../src/index.ts';
import { sendAptTo } from './proxy.ts';

const asked = process.env.EDGEWARD_TEST_FETCH === '1' || process.env.CI !== undefined;
const network = asked ? false : 'downloads 6 MB: set EDGEWARD_TEST_FETCH=1, or CI';

async function program(folder: string, script: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'nats-server'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'nats-server'), 0o755);
}

t.test('the first one on PATH that is new enough is taken', async (t) => {
  const folder = t.testdir();
  await program(join(folder, 'old'), 'echo "nats-server: v2.8.4"');
  await program(join(folder, 'new'), 'echo "nats-server: v2.9.10"');
  const searchPath = `${folder}/none:relative:${folder}/old:${folder}/new`;
  const found = await findNatsServer({ cacheDir: join(folder, 'cache'), searchPath, allowFetch: false });
  t.strictSame(found, { command: [join(folder, 'new/nats-server')], version: '2.9.10' });
});

t.test('one that can not serve is passed over, with its reason', async (t) => {
  const folder = t.testdir();
  const cases: [string, string, RegExp][] = [
    ['broken', 'exit 127', /broken\/nats-server is no nats-server: exit code 127/],
    ['other', 'echo hello', /other\/nats-server is no nats-server: hello/],
    ['old', 'echo "nats-server: v2.8.4"', /old\/nats-server is version 2\.8\.4, older than 2\.9/],
  ];
  for (const [name, script, message] of cases) {
    await program(join(folder, name), script);
    const options = { cacheDir: join(folder, 'cache'), searchPath: join(folder, name), allowFetch: false };
    const wanted = { code: 'EDW_ERR_NATS_SERVER_NOT_FOUND', message, mend: /apt install nats-server/ };
    await t.rejects(findNatsServer(options), wanted, name);
  }
  t.notOk((await readdir(folder)).includes('cache'), 'looking makes no folder');
});

t.test('where it can not be fetched either, both reasons are named', async (t) => {
  const folder = t.testdir();
  await program(folder, 'echo hello');
  sendAptTo(t, 'http://127.0.0.1:9');
  const wanted = { code: 'EDW_ERR_NATS_SERVER_NOT_FOUND', message: /is no nats-server: hello; fetching NATS server/ };
  await t.rejects(findNatsServer({ cacheDir: join(folder, 'cache'), searchPath: folder }), wanted);
});

t.test('one is fetched, runs, and is used again', { skip: network }, async (t) => {
  const cacheDir = join(t.testdir(), 'a folder with spaces');
  const said: string[] = [];
  const options = { cacheDir, searchPath: '', progress: (message: string) => void said.push(message) };
  const fetched = await findNatsServer(options);
  t.match(said, [/^fetching NATS server .* from http/, /^unpacking \d+ packages$/]);
  t.match(fetched.version, /^2\./);
  t.strictSame(await findNatsServer({ ...options, allowFetch: false }), fetched, 'kept');
});
