/** Folders that a store makes are synced into the folder above before anything is said to be done. */
import { promises } from 'node:fs';
import { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, relative } from 'node:path';
import t from 'tap';

/** What was done to the disk, in order: `make PATH`, `sync PATH` of a folder. */
const done: string[] = [];
const { mkdir, open: opened } = promises;
const probe = await open(process.execPath, 'r');
const handle = Object.getPrototypeOf(probe) as { sync(): Promise<void> };
await probe.close();
const { sync } = handle;
const paths = new WeakMap<object, string>();
handle.sync = async function (this: object) {
  await sync.call(this);
  done.push(`sync ${paths.get(this)}`);
};
promises.open = async (path, ...rest) => {
  const file = await opened(path, ...rest);
  paths.set(file, String(path));
  return file;
};
promises.mkdir = (async (path: string, options: { recursive: boolean }) => {
  const highest = await mkdir(path, options);
  for (let made = path; highest !== undefined && made.length >= highest.length; made = dirname(made))
    done.push(`make ${made}`);
  return highest;
}) as typeof promises.mkdir;
syncBuiltinESMExports();
// After what it is to see.
const { openWorld, PLAIN, folderOf } = await import('./decisions/world.ts');
const { makeFolder } = await import('@edgeward/runtime');

function isSynced(path: string): boolean {
  return done.lastIndexOf(`sync ${dirname(path)}`) > done.lastIndexOf(`make ${path}`);
}

t.test('whatever folder a store makes is on disk with what is in it', async (t) => {
  const world = await openWorld(t);
  await world.publish(PLAIN);
  const made = done.filter((it) => it.startsWith('make ')).map((it) => it.slice('make '.length));
  const names = made.map((path) => relative(world.dir, path).replace(/[0-9a-f]{16}/, 'ID'));
  for (const name of ['keys', 'roots', 'record', 'proposals', 'versions', 'proposals/ID', 'versions/1'])
    t.ok(names.includes(name), `${name} is made`);
  for (const path of made) t.ok(isSynced(path), relative(world.dir, path));
});

t.test(
  'folders above that were made on the way are synced too, and one that was there already once more',
  async (t) => {
    const folder = join(folderOf(t), 'a', 'b');
    await makeFolder(folder);
    t.ok(isSynced(folder));
    t.ok(isSynced(dirname(folder)));
    const before = done.length;
    await makeFolder(folder);
    t.strictSame(
      done.slice(before),
      [`sync ${dirname(folder)}`],
      'an earlier process may have been killed before that',
    );
  },
);

t.test('a path from where one stands is made as well, however short', async (t) => {
  const stood = process.cwd();
  t.teardown(() => process.chdir(stood));
  const folder = folderOf(t);
  await makeFolder(folder);
  process.chdir(folder);
  await makeFolder('T');
  t.ok(isSynced(join(folder, 'T')));
});
