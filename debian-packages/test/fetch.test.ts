import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { defaultCacheDir, fetchPackages } from '../src/index.ts';
import { behindProxy, sendAptTo } from './proxy.ts';

const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
const elsewhere = /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release) ? false : 'this system is not Debian or Ubuntu';
const of = { name: 'hello', title: 'a greeting (1 MB)', packages: ['hello'] };

t.test('the cache folder is the one that the environment names', async (t) => {
  t.equal(defaultCacheDir({ EDGEWARD_CACHE: '/x/y' }), '/x/y');
  t.equal(defaultCacheDir({ XDG_CACHE_HOME: '/x' }), '/x/edgeward');
  t.match(defaultCacheDir({}), /\.cache\/edgeward$/);
});

t.test('a cache folder that can not be written is named', { skip: elsewhere }, async (t) => {
  const cacheDir = join(t.testdir({ file: 'x' }), 'file');
  const wanted = { code: 'EDW_ERR_PACKAGES_FETCH', message: /file/, mend: /EDGEWARD_CACHE/ };
  await t.rejects(fetchPackages({ ...of, cacheDir }), wanted);
});

t.test('a mirror that can not be reached is named, and nothing is left', { skip: elsewhere }, async (t) => {
  const cacheDir = join(t.testdir(), 'cache');
  // Port 9 of loopback: nothing listens there.
  sendAptTo(t, 'http://127.0.0.1:9');
  const wanted = { code: 'EDW_ERR_PACKAGES_FETCH', message: /debian.*Connection refused/s, mend: /mirror/ };
  await t.rejects(fetchPackages({ ...of, cacheDir }), wanted);
  t.strictSame(await readdir(cacheDir), []);
});

t.test('a mirror whose lists nobody signed is refused', { skip: elsewhere }, async (t) => {
  const cacheDir = join(t.testdir(), 'cache');
  const asked = new Set<string>();
  const unsigned = 'Origin: Debian\nSuite: stable\nCodename: trixie\nArchitectures: amd64 arm64\nComponents: main\n';
  await behindProxy(t, (path) => {
    asked.add(path.split('/').at(-1) ?? '');
    return path.endsWith('/Release') ? { status: 200, text: unsigned } : { status: 404, text: '' };
  });
  await t.rejects(fetchPackages({ ...of, cacheDir }), { code: 'EDW_ERR_PACKAGES_FETCH', message: /is not signed/ });
  t.ok(asked.has('Release'), 'apt came this way');
  t.notOk(
    [...asked].some((name) => name.startsWith('Packages')),
    'and went no further',
  );
  t.strictSame(await readdir(cacheDir), []);
});

t.test('what is called off ends with the reason given, and leaves nothing', { skip: elsewhere }, async (t) => {
  const cacheDir = join(t.testdir(), 'cache');
  const controller = new AbortController();
  await behindProxy(t, () => {
    controller.abort(new Error('enough'));
    return null;
  });
  await t.rejects(fetchPackages({ ...of, cacheDir, signal: controller.signal }), { message: 'enough' });
  t.strictSame(await readdir(cacheDir), []);
});
