/** Folders that a store makes are synced into the folder above before anything is said to be done. */
import fs, { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, relative } from 'node:path';
import t from 'tap';

/** What was done to the disk, in order: `make PATH`, `sync PATH` of a folder. */
const done: string[] = [];
const { open, fsync } = fs;
const { mkdir } = promises;
const paths = new Map<number, string>();
fs.open = ((path: string, flags: string, ...rest: [fs.Mode | undefined, Opened] | [Opened]) => {
  const opened = rest.at(-1) as Opened;
  const mode = rest.length === 2 ? rest[0] : undefined;
  open(path, flags, mode, (failed, file) => {
    if (failed === null) paths.set(file, path);
    opened(failed, file);
  });
}) as typeof fs.open;
type Opened = (failed: NodeJS.ErrnoException | null, file: number) => void;
fs.fsync = ((file, synced) => {
  fsync(file, (failed) => {
    if (failed === null) done.push(`sync ${paths.get(file)}`);
    synced(failed);
  });
}) as typeof fs.fsync;
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
