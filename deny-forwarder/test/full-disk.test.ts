/** A spool on a small disk of its own that somebody else fills and frees. Needs root; without, it is skipped, but not in CI. */
import { execFile } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { refs } from '../../deny-log/test/lines.ts';
import { sceneOf, until } from './kit.ts';

const run = promisify(execFile);

/** Null where nothing can be mounted. */
async function mountDisk(t: Test): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-forwarder-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'edgeward-test', folder]);
  } catch (thrown) {
    if (process.env.CI !== undefined) throw thrown;
    t.plan(0, 'mounting a disk needs root');
    return null;
  }
  t.teardown(() => run('umount', ['--lazy', folder]));
  return folder;
}

function fill(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let pages = 0; pages < 2_000; pages += 1) writeSync(file, Buffer.alloc(4096));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
  } finally {
    closeSync(file);
  }
}

t.test(
  'while the disk of the spool is full lines wait in the log, also over a restart, and none is given up',
  async (t) => {
    const disk = await mountDisk(t);
    if (disk === null) return;
    const scene = await sceneOf(t);
    await scene.listen();
    const [ballast, spoolDir] = [join(disk, 'ballast'), join(disk, 'spool')];
    mkdirSync(spoolDir);
    const first = await scene.start({}, { spoolDir });
    scene.write(0, 100);
    const stored = (): number => scene.collector.spools()[0]?.stored ?? 0;
    await until('there is room', () => stored() === 100);
    fill(ballast);
    await until('it is noticed', () => first.troubles().some(({ code }) => code === 'EDW_ERR_SPOOL_FULL'));
    scene.write(100, 200);
    await first.stop();
    const second = await scene.start({}, { spoolDir });
    await until('it is noticed again', () => second.troubles().some(({ code }) => code === 'EDW_ERR_SPOOL_FULL'));
    scene.write(200, 300);
    rmSync(ballast);
    await until('all is stored', () => stored() === 300);
    t.strictSame(await scene.refs(), refs(0, 300));
    t.match(scene.collector.spools(), [{ gaps: {}, missing: 0 }]);
    await until('all is well', () => second.troubles().length === 0);
  },
);
