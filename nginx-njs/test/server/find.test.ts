import { chmod, cp, mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { keptTree } from '@edgeward/debian-packages';
import t from 'tap';
import { debianNginx, unpackedNginx } from '../../driver/server/debian-nginx.ts';
import { defaultCacheDir, findNginx, type NginxBinary } from '../../driver/server/index.ts';
import { installedNginx } from '../../driver/server/installed.ts';
import { versionAtLeast } from '../../driver/server/nginx-binary.ts';
import { nginxBinary } from './real-nginx.ts';

const binary = await nginxBinary(t);
const own = (await installedNginx('')).length > 0;
const hidden = own ? 'an nginx is installed in /usr/sbin, which is always searched' : false;
const noPackages = (await unpackedNginx(defaultCacheDir())) === null ? 'no unpacked nginx on this machine' : false;

/** An installed NGINX as packages lay it out: `sbin/nginx` and `lib/nginx/modules` below one folder. */
async function install(folder: string, script: string, modulesDir?: string): Promise<string> {
  await mkdir(join(folder, 'sbin'), { recursive: true });
  await mkdir(join(folder, 'lib/nginx'), { recursive: true });
  await writeFile(join(folder, 'sbin/nginx'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'sbin/nginx'), 0o755);
  if (modulesDir !== undefined) await symlink(modulesDir, join(folder, 'lib/nginx/modules'));
  return join(folder, 'sbin');
}

const words = (of: NginxBinary): string => of.command.map((word) => `'${word}'`).join(' ');

t.test('versions compare as numbers, part by part', async (t) => {
  const rows: [string, string, boolean][] = [
    ['0.8.0', '0.8.0', true],
    ['0.8.9', '0.8.0', true],
    ['0.8.10', '0.8.9', true],
    ['0.7.9', '0.8.0', false],
    ['1.0', '0.8.0', true],
    ['0.8', '0.8.0', true],
    ['0.8', '0.8.1', false],
  ];
  for (const [version, oldest, expect] of rows)
    t.equal(versionAtLeast(version, oldest), expect, `${version} >= ${oldest}`);
});

t.test('what is found ran, and named its versions', async (t) => {
  t.match(binary, { nginxVersion: /^\d+\.\d+\.\d+$/, njsVersion: /^\d+\.\d+\.\d+$/ });
  t.ok(versionAtLeast(binary.njsVersion, '0.8.0'));
});

t.test('an installed nginx with njs comes first', async (t) => {
  const folder = t.testdir();
  const searchPath = await install(folder, `exec ${words(binary)} "$@"`, binary.modulesDir);
  const found = await findNginx({ cacheDir: join(folder, 'cache'), searchPath, fetch: false });
  t.match(found, { origin: 'path', command: [join(searchPath, 'nginx')], njsVersion: binary.njsVersion });
});

t.test(
  'an installed nginx that can not carry a policy is passed over, with its reason',
  { skip: hidden },
  async (t) => {
    const cacheDir = t.testdir();
    const cases = [
      {
        name: 'without-module',
        script: `exec ${words(binary)} "$@"`,
        modules: undefined,
        reason: /has no ngx_http_js_module/,
      },
      { name: 'no-nginx', script: 'echo hello', modules: binary.modulesDir, reason: /is no NGINX/ },
      { name: 'broken', script: 'exit 127', modules: binary.modulesDir, reason: /is no NGINX/ },
    ];
    for (const { name, script, modules, reason } of cases) {
      const searchPath = await install(join(cacheDir, name), script, modules);
      const wanted = { code: 'EDW_ERR_NGINX_NOT_FOUND', message: reason, mend: /njs module/ };
      await t.rejects(findNginx({ cacheDir: join(cacheDir, 'none'), searchPath, fetch: false }), wanted, name);
    }
  },
);

/** With the NGINX that is looked for; the cache has others, other programs and whole images too. */
async function copyOfCache(cacheDir: string): Promise<string> {
  const tree = await keptTree({ cacheDir: defaultCacheDir(), name: debianNginx.name });
  const root = tree?.root ?? '';
  await cp(root, join(cacheDir, basename(root)), { recursive: true, verbatimSymlinks: true });
  return cacheDir;
}

t.test('an unpacked nginx is used again, and works from another folder', { skip: hidden || noPackages }, async (t) => {
  const cacheDir = await copyOfCache(join(t.testdir(), 'a folder with spaces'));
  const found = await findNginx({ cacheDir, searchPath: '', fetch: false });
  t.equal(found.origin, 'cache');
  t.ok(found.modulesDir.startsWith(cacheDir));
});

t.test('a cache folder that can not be written is named', { skip: hidden }, async (t) => {
  const file = join(t.testdir({ file: 'x' }), 'file');
  await t.rejects(findNginx({ cacheDir: file, searchPath: '', docker: false }), {
    code: 'EDW_ERR_NGINX_FETCH',
    message: /file/,
    mend: /EDGEWARD_CACHE/,
  });
});

t.test('a mirror that can not be reached is named, and nothing is left behind', { skip: hidden }, async (t) => {
  const cacheDir = join(t.testdir(), 'cache');
  const before = process.env.http_proxy;
  t.teardown(() => {
    if (before === undefined) delete process.env.http_proxy;
    else process.env.http_proxy = before;
  });
  // Port 9 of loopback: nothing listens there.
  process.env.http_proxy = 'http://127.0.0.1:9';
  const wanted = { code: 'EDW_ERR_NGINX_FETCH', message: /Connection refused/, mend: /mirror/ };
  await t.rejects(findNginx({ cacheDir, searchPath: '', docker: false }), wanted);
  t.strictSame(await readdir(cacheDir), []);
});

t.test('where neither packages nor Docker can be had, both reasons are named', { skip: hidden }, async (t) => {
  const folder = t.testdir({ file: 'x' });
  const before = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = before;
  });
  process.env.PATH = folder;
  const find = () => findNginx({ cacheDir: join(folder, 'file'), searchPath: '' });
  await t.rejects(find(), { code: /EDW_ERR_NGINX_/, message: /; there is no docker command$/, mend: /njs/ });
  await writeFile(join(folder, 'docker'), '#!/bin/sh\necho "is the daemon running?" >&2; exit 1\n');
  await chmod(join(folder, 'docker'), 0o755);
  await t.rejects(find(), { code: /EDW_ERR_NGINX_/, message: /; Docker does not answer: is the daemon running\?$/ });
});

const asked = process.env.EDGEWARD_TEST_FETCH === '1' || process.env.CI !== undefined;
const network = asked ? false : 'downloads 40 MB: set EDGEWARD_TEST_FETCH=1, or CI';

t.test(
  'two at once replace what is damaged in the cache, and leave one whole folder',
  { skip: hidden || noPackages || network },
  async (t) => {
    const cacheDir = await copyOfCache(join(t.testdir(), 'cache'));
    const said: string[] = [];
    const find = (fetch: boolean) =>
      findNginx({ cacheDir, searchPath: '', fetch, onProgress: (message) => said.push(message) });
    const first = await find(false);
    await rm(first.modulesDir, { recursive: true });
    await mkdir(join(cacheDir, '.fetch-abandoned/root'), { recursive: true });
    await utimes(join(cacheDir, '.fetch-abandoned'), 1, 1);
    const found = await Promise.all([find(true), find(true)]);
    for (const one of found) t.match(one, { origin: 'fetched', njsVersion: binary.njsVersion });
    t.match(said.join('\n'), /fetching NGINX/);
    t.equal((await readdir(cacheDir)).length, 1, 'nothing else is left');
    t.match(await find(false), { origin: 'cache' });
  },
);
