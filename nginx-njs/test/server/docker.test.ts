import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, get } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { runProgram } from '@edgeward/debian-packages';
import { freePort } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { prefixLabel } from '../../driver/server/container-words.ts';
import { dockerImage } from '../../driver/server/docker.ts';
import { findNginx, type NginxBinary, startNginx, testConfig } from '../../driver/server/index.ts';
import { installedNginx } from '../../driver/server/installed.ts';
import { withDocker } from './docker-here.ts';
import { orphanEnds, startOrphan } from './orphan.ts';
import { answers, body, eventually, started, writeConfig } from './real-nginx.ts';

await withDocker(t);
const own = (await installedNginx('')).length > 0;
const hidden = own ? 'an nginx is installed in /usr/sbin, which is always searched' : false;
const said: string[] = [];

/** A cache folder that is a file: no packages can be had, so Docker is what remains. */
function found(t: Test): Promise<NginxBinary> {
  const cacheDir = join(t.testdir({ file: 'x' }), 'file');
  return findNginx({ cacheDir, searchPath: '', onProgress: (message) => said.push(message) });
}

async function docker(...words: string[]): Promise<string> {
  return (await runProgram('docker', words, { timeoutMs: 120_000 })).stdout.trim();
}

/** The containers of NGINXes whose prefix this is, also those that do not run. */
function containers(prefix: string): Promise<string> {
  return docker('ps', '--all', '--quiet', '--filter', `label=${prefixLabel}=${prefix}`);
}

async function listening(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function bodyFrom(localAddress: string, port: number, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, localAddress, agent: false }, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

t.test('where packages can not be had, an nginx in an image is found, and built once', { skip: hidden }, async (t) => {
  const wanted = { origin: 'docker', image: dockerImage, nginxVersion: /^1\.26\./, njsVersion: /^0\.8\./ };
  t.match(await found(t), wanted);
  said.length = 0;
  t.match(await found(t), wanted);
  t.strictSame(said, [], 'the second time it is there');
});

t.test("a docker whose network is not this machine's is refused, with the reason", { skip: hidden }, async (t) => {
  const folder = t.testdir({ file: 'x' });
  const real = (await runProgram('/bin/sh', ['-c', 'command -v docker'], { timeoutMs: 120_000 })).stdout.trim();
  const lines = ['#!/bin/sh', 'for word; do shift; [ "$word" = host ] && word=none; set -- "$@" "$word"; done'];
  await writeFile(join(folder, 'docker'), [...lines, `exec ${real} "$@"`, ''].join('\n'));
  await chmod(join(folder, 'docker'), 0o755);
  const before = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = before;
  });
  process.env.PATH = `${folder}:${before}`;
  await t.rejects(findNginx({ cacheDir: join(folder, 'file'), searchPath: '' }), {
    message: /the network it is on is not this machine's own/,
  });
});

t.test(
  'it serves this machine: sees each client, reaches upstreams, writes as this user',
  { skip: hidden },
  async (t) => {
    const binary = await found(t);
    const prefix = join(t.testdir(), 'a "folder", with all');
    const upstream = await listening(
      t,
      createHttpServer((_, response) => response.end('upstream')),
    );
    const port = await freePort();
    const extra = `location /up { proxy_pass http://127.0.0.1:${upstream}; }`;
    const configFile = await writeConfig(prefix, { binary, port, body: '$remote_addr', extra });
    const nginx = await started(t, { binary, port, prefix, configFile });
    t.equal(await bodyFrom('127.0.10.4', port), '127.0.10.4');
    t.equal(await bodyFrom('127.0.0.1', port, '/up'), 'upstream');
    t.equal((await stat(join(prefix, 'nginx.pid'))).uid, process.getuid?.());
    t.not(await containers(prefix), '');
    await nginx.stop();
    await nginx.stop();
    t.match(await nginx.exited, { code: 0, signal: null });
    t.notOk(await answers(port), 'the port is free');
    t.equal(await containers(prefix), '', 'nothing is left');
  },
);

t.test(
  'after a reload only the new configuration answers; a broken one changes nothing',
  { skip: hidden },
  async (t) => {
    const binary = await found(t);
    const prefix = t.testdir();
    const port = await freePort();
    const configFile = await writeConfig(prefix, { binary, port, body: 'before' });
    const nginx = await started(t, { binary, port, prefix, configFile });
    for (let round = 0; round < 3; round++) {
      await writeConfig(prefix, { binary, port, body: `round-${round}` });
      await nginx.reload();
      const bodies = await Promise.all(Array.from({ length: 20 }, () => body(port)));
      t.strictSame([...new Set(bodies)], [`round-${round}`]);
    }
    await writeConfig(prefix, { binary, port, body: 'x', extra: 'nonsense;' });
    await t.rejects(nginx.reload(), { code: 'EDW_ERR_NGINX_CONFIG', message: /unknown directive "nonsense".*:\d+/ });
    t.equal(await body(port), 'round-2');
  },
);

t.test('kill leaves no container, and a killed docker client alone leaves none either', { skip: hidden }, async (t) => {
  const binary = await found(t);
  for (const how of ['kill', 'client'] as const) {
    const prefix = t.testdir();
    const port = await freePort();
    const configFile = await writeConfig(prefix, { binary, port, body: how });
    const nginx = await started(t, { binary, port, prefix, configFile });
    if (how === 'kill') await nginx.kill();
    else process.kill(nginx.pid, 'SIGKILL');
    t.match(await nginx.exited, { code: null, signal: 'SIGKILL' }, how);
    t.notOk(await answers(port), `${how}: the port is free`);
    t.equal(await containers(prefix), '', `${how}: nothing is left`);
  }
});

t.test('the container ends with its parent, however that ends', { skip: hidden }, async (t) => {
  const binary = await found(t);
  for (const { name, end } of orphanEnds) {
    const prefix = t.testdir();
    const port = await freePort();
    const { parent, gone } = await startOrphan(t, {
      binary,
      prefix,
      configFile: await writeConfig(prefix, { binary, port, body: 'x' }),
    });
    t.ok(await answers(port), `${name}: it serves`);
    end(parent);
    await gone;
    t.ok(await eventually(async () => (await containers(prefix)) === ''), `${name}: the container is gone`);
    t.notOk(await answers(port), `${name}: the port is free`);
  }
});

t.test('what keeps it from starting is named, and nothing is left', { skip: hidden }, async (t) => {
  const binary = await found(t);
  const prefix = t.testdir();
  const port = await listening(t, createServer());
  const good = await writeConfig(join(prefix, 'good'), { binary, port, body: 'x' });
  const bad = await writeConfig(join(prefix, 'bad'), { binary, port, body: 'x', extra: 'nonsense;' });
  await mkdir(join(prefix, 'closed'));
  const cases = [
    { name: 'port in use', configFile: good, message: /Address already in use/ },
    { name: 'bad directive', configFile: bad, message: /\[emerg\] unknown directive "nonsense"/ },
    { name: 'no such file', configFile: join(prefix, 'none'), message: /No such file/ },
    { name: 'no such folder', configFile: join(prefix, 'no/folder/none'), message: /docker: .*no\/folder/ },
    { name: 'no such image', configFile: good, message: /docker: .*edgeward-nginx:none/, image: 'edgeward-nginx:none' },
  ];
  for (const { name, configFile, message, image = dockerImage } of cases) {
    // The prefix holds the configuration only where both are needed: a folder that is not there must be named too.
    const own = join(prefix, 'closed');
    const start = startNginx({ binary: { ...binary, image }, prefix: own, configFile });
    await t.rejects(start, { code: 'EDW_ERR_NGINX_START', message }, name);
    t.equal(await containers(own), '', `${name}: nothing is left`);
  }
});

t.test('one that is not ready in time is ended', { skip: hidden }, async (t) => {
  const binary = await found(t);
  const prefix = t.testdir();
  const port = await freePort();
  const configFile = await writeConfig(prefix, { binary, port, body: 'x' });
  const listener = { host: '127.0.0.1', port: await freePort() };
  // The short time ends before the container runs, the long one while it serves.
  for (const timeoutMs of [50, 2_000]) {
    await t.rejects(startNginx({ binary, prefix, configFile, listener, timeoutMs }), { code: 'EDW_ERR_NGINX_START' });
    t.notOk(await answers(port));
    t.equal(await containers(prefix), '', `nothing is left after ${timeoutMs} ms`);
  }
});

t.test('testConfig accepts what nginx accepts and names what it refuses', { skip: hidden }, async (t) => {
  const binary = await found(t);
  const prefix = t.testdir();
  const configFile = await writeConfig(prefix, { binary, port: await freePort(), body: 'x' });
  await t.resolves(testConfig(binary, prefix, configFile));
  await writeFile(join(prefix, 'broken.js'), 'export default {');
  const extra = '} js_import broken from broken.js; server { listen unix:s;';
  await writeConfig(prefix, { binary, port: await freePort(), body: 'x', extra });
  await t.rejects(testConfig(binary, prefix, configFile), { code: 'EDW_ERR_NGINX_CONFIG', message: /SyntaxError/ });
  t.equal(await containers(prefix), '');
});
