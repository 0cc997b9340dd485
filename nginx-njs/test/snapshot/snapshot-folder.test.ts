import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { NativeSnapshot } from '../../driver/native/index.ts';
import { createSnapshotFolder } from '../../driver/snapshot/index.ts';

const snapshot = (generation: string, text = 'map'): NativeSnapshot => ({
  generation,
  revision: 1,
  hash: '0'.repeat(64),
  files: [
    { name: `${generation}/http.conf`, text },
    { name: `${generation}/stream.conf`, text: '' },
  ],
});

t.test('what was written is there, and what was changed, removed or half written is told', async (t) => {
  const path = join(t.testdir(), 'snapshot');
  const folder = createSnapshotFolder(path);
  t.strictSame([await folder.current(), await folder.differing('g1')], [null, null], 'nothing yet');
  t.match(await folder.write(snapshot('g1')), { writes: 3, bytes: Number });
  t.strictSame(await folder.differing('g1'), []);
  t.ok(await folder.holds(snapshot('g1')));
  t.notOk(await folder.holds(snapshot('g1', 'geo')));
  await folder.switchTo('g1');
  t.equal(await folder.current(), 'g1');
  await writeFile(join(path, 'g1/http.conf'), 'mapped');
  await rm(join(path, 'g1/stream.conf'));
  t.strictSame(await folder.differing('g1'), ['http.conf', 'stream.conf']);
  await rm(join(path, 'g1/manifest.json'));
  t.equal(await folder.differing('g1'), null, 'without its manifest it is a half');
});

t.test('what NGINX writes beside a file of ranges is nobody’s change', async (t) => {
  const path = t.testdir();
  const folder = createSnapshotFolder(path);
  await folder.write(snapshot('g1'));
  await writeFile(join(path, 'g1/http-0.ranges.bin'), 'as NGINX does');
  t.strictSame(await folder.differing('g1'), []);
});

t.test('a generation has a name that none had, also when the clock steps back', async (t) => {
  const folder = createSnapshotFolder(t.testdir());
  const names: string[] = [];
  for (const nowMs of [1_800_000_000_000, 1_800_000_000_000, 1_700_000_000_000]) {
    const name = await folder.nextGeneration(nowMs);
    names.push(name);
    await folder.write(snapshot(name));
  }
  t.strictSame(names, [...new Set(names)].sort(), 'each once, and later ones sort behind');
});

t.test(
  'halves and old generations go; the current one stays, wherever it stands, and so does what is foreign',
  async (t) => {
    const path = t.testdir({ README: 'mine', gx: { 'http.conf': 'half' } });
    const folder = createSnapshotFolder(path);
    for (const name of ['g000000001', 'g000000002', 'g000000003', 'g000000004']) await folder.write(snapshot(name));
    await folder.switchTo('g000000001');
    await folder.collect(1);
    t.strictSame((await readdir(path)).sort(), ['README', 'current', 'g000000001', 'g000000004']);
  },
);

t.test('a link that leads elsewhere is no generation, and is replaced', async (t) => {
  const path = t.testdir();
  const folder = createSnapshotFolder(path);
  await mkdir(join(path, 'g1'));
  await symlink('../../etc', join(path, 'current'));
  t.equal(await folder.current(), null);
  await folder.switchTo('g1');
  t.equal(await folder.current(), 'g1');
});

t.test('a folder that can not be written is a coded error', async (t) => {
  const path = t.testdir({ snapshot: 'a file' });
  const folder = createSnapshotFolder(join(path, 'snapshot'));
  await t.rejects(folder.write(snapshot('g1')), { code: 'EDW_ERR_STATE_WRITE' });
  await t.rejects(folder.switchTo('g1'), { code: 'EDW_ERR_STATE_WRITE' });
  await t.rejects(folder.collect(1), { code: 'EDW_ERR_STATE_WRITE' });
});
