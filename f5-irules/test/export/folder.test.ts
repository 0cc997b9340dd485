/** A folder is written whole or not at all, and never over anything but an earlier export. */
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { access, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { type FolderFile, writeFolder } from '../../export/folder.ts';
import { codeOf } from '../fixtures/codes.ts';

const one: FolderFile[] = [
  { path: 'a.txt', content: ['one\n'] },
  { path: 'data/b.txt', content: ['b\n', 'c\n'] },
];
const two: FolderFile[] = [
  { path: 'a.txt', content: ['two\n'] },
  { path: 'run.sh', content: ['#!/bin/sh\n'], executable: true },
];

t.test('every file is in the manifest, and sha256sum agrees', async (t) => {
  const place = t.testdir({});
  const out = join(place, 'out');
  const written = await writeFolder(out, one);
  t.strictSame(
    written.map(({ path, bytes }) => [path, bytes]),
    [
      ['a.txt', 4],
      ['data/b.txt', 4],
      ['MANIFEST', written[2]?.bytes],
    ],
  );
  await promisify(execFile)('sha256sum', ['--quiet', '--strict', '-c', 'MANIFEST'], { cwd: out });
  t.strictSame(await readdir(place), ['out'], 'nothing is left beside it');
});

t.test('an earlier export is replaced whole, and an empty folder is filled', async (t) => {
  const out = join(t.testdir({ out: {} }), 'out');
  await writeFolder(out, one);
  await writeFolder(out, two);
  t.strictSame((await readdir(out)).sort(), ['MANIFEST', 'a.txt', 'run.sh']);
  t.equal(await readFile(join(out, 'a.txt'), 'utf8'), 'two\n');
  await t.resolves(access(join(out, 'run.sh'), 1));
  t.strictSame(await readdir(join(out, '..')), ['out']);
});

t.test('whatever is no earlier export as it was written stays as it is', async (t) => {
  const cases: Record<string, (out: string) => Promise<unknown>> = {
    'a file': (out) => writeFile(out, 'mine'),
    'a folder with a file': async (out) => {
      await mkdir(out);
      await writeFile(join(out, 'notes.txt'), 'mine');
    },
    'a folder with another MANIFEST': async (out) => {
      await mkdir(out);
      await writeFile(join(out, 'MANIFEST'), 'mine');
    },
    'an export with a note in it': async (out) => {
      await writeFolder(out, one);
      await writeFile(join(out, 'data', 'notes.txt'), 'mine');
    },
    'an export that was edited': async (out) => {
      await writeFolder(out, one);
      await writeFile(join(out, 'a.txt'), 'mine');
    },
    'an export with a link in it': async (out) => {
      await writeFolder(out, one);
      await symlink('/etc/hostname', join(out, 'link'));
    },
    'a link to nothing': (out) => symlink('nowhere', out),
    'a folder that can not be made': (out) => writeFile(join(out, '..', 'blocked'), ''),
  };
  for (const [name, prepare] of Object.entries(cases)) {
    const place = t.testdir({});
    const out = join(place, 'out');
    await prepare(out);
    const target = name.includes('can not') ? join(place, 'blocked', 'out') : out;
    const before = await readdir(place, { recursive: true });
    t.equal(await codeOf(() => writeFolder(target, two)), 'EDW_ERR_OUT_FOLDER', name);
    t.strictSame(await readdir(place, { recursive: true }), before, name);
  }
});

t.test('cut off in the middle, nothing is left and what stood there still does', async (t) => {
  const place = t.testdir({});
  const out = join(place, 'out');
  await writeFolder(out, one);
  function* broken(): Generator<string> {
    yield 'half';
    throw new Error('the source broke');
  }
  await t.rejects(writeFolder(out, [...two, { path: 'c', content: broken() }]), { message: 'the source broke' });
  t.strictSame(await readdir(place), ['out']);
  t.equal(await readFile(join(out, 'a.txt'), 'utf8'), 'one\n');
});

t.test('content is on disk while the rest of it is still being made', async (t) => {
  const place = t.testdir({});
  const line = 'x'.repeat(1023).concat('\n');
  let held = 0;
  function* lines(): Generator<string> {
    for (let made = 0; made < 8 << 20; made += line.length) {
      const [unfinished] = readdirSync(place);
      held = Math.max(held, made - statSync(join(place, unfinished ?? '', 'big')).size);
      yield line;
    }
  }
  await writeFolder(join(place, 'out'), [{ path: 'big', content: lines() }]);
  t.ok(held <= 1 << 19, `${held} bytes at most`);
});

t.test('a link to an earlier export stays a link', async (t) => {
  const place = t.testdir({});
  await writeFolder(join(place, 'real'), one);
  await symlink('real', join(place, 'out'));
  await writeFolder(join(place, 'out'), two);
  t.equal(await readFile(join(place, 'real', 'a.txt'), 'utf8'), 'two\n');
});
