/** The lock of a state folder, where somebody else can write into the folder too. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { refuseHeldState, takeStateLock } from '../src/index.ts';

const NOBODY = 65_534;
const IN_USE = { code: 'EDW_ERR_STATE_IN_USE' };

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-lock-'));
  t.teardown(async () => {
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Whom a mode keeps out: root goes on as somebody else. */
async function asNobody(folder: string, work: () => Promise<unknown>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) await chown(folder, NOBODY, NOBODY);
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

t.test('what no holder can have written is nobody’s, and keeps nobody waiting', async (t) => {
  const places: Record<string, (path: string) => unknown> = {
    'a pipe': (path) => execFileSync('mkfifo', [path]),
    'a pipe that somebody holds open': (path) => {
      execFileSync('mkfifo', [path]);
      const held = openSync(path, constants.O_RDWR);
      t.teardown(() => closeSync(held));
    },
    'a link to nothing': (path) => symlink('nothing', path),
    'a link to what has no end': (path) => symlink('/dev/zero', path),
    'a long file': (path) => writeFile(path, ' '.repeat(10_000)),
    'an empty file': (path) => writeFile(path, ''),
    'a folder': (path) => mkdir(path),
  };
  for (const [name, put] of Object.entries(places)) {
    const folder = await folderOf(t);
    const path = join(folder, 'lock');
    await put(path);
    await refuseHeldState(folder);
    const unlock = await takeStateLock(folder);
    t.match(JSON.parse(await readFile(path, 'utf8')), { pid: process.pid }, name);
    await unlock();
    t.notOk((await readdir(folder)).includes('lock'), `${name}: it is given back`);
  }
});

t.test('a second holder is refused until the first gives it back', async (t) => {
  const folder = await folderOf(t);
  const unlock = await takeStateLock(folder);
  await t.rejects(takeStateLock(folder), IN_USE);
  await unlock();
  await (await takeStateLock(folder))();
});

t.test('where nothing can be written, a holder is seen all the same', async (t) => {
  const folder = await folderOf(t);
  const unlock = await takeStateLock(folder);
  if (process.geteuid?.() === 0) await chown(join(folder, 'lock'), NOBODY, NOBODY);
  await chmod(folder, 0o500);
  await asNobody(folder, () =>
    t.rejects(takeStateLock(folder), { ...IN_USE, message: `process ${process.pid} uses it`, cause: undefined }),
  );
  await chmod(folder, 0o700);
  await unlock();
  await chmod(folder, 0o500);
  await asNobody(folder, () => t.rejects(takeStateLock(folder), { code: 'EDW_ERR_STATE_WRITE' }, 'nobody holds it'));
});

t.test('a lock that can not be read is told apart from one whose holder is seen', async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, 'lock'), '');
  await chmod(join(folder, 'lock'), 0);
  const unreadable = { ...IN_USE, message: /EACCES/, cause: { code: 'EACCES' }, mend: /delete the file `lock`/ };
  for (const mode of [0o700, 0o500]) {
    await chmod(folder, mode);
    await asNobody(folder, () => t.rejects(takeStateLock(folder), unreadable, `folder ${mode.toString(8)}`));
  }
});

t.test('a folder that is not there, or closed, is told as such', async (t) => {
  const folder = await folderOf(t);
  await t.rejects(takeStateLock(join(folder, 'none')), { code: 'EDW_ERR_STATE_WRITE', mend: /Create the folder/ });
  await (await takeStateLock(folder))();
  await chmod(folder, 0);
  await asNobody(folder, () => t.rejects(takeStateLock(folder), { code: 'EDW_ERR_STATE_WRITE', mend: /chown/ }));
});
