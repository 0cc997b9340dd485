/** A spool on a disk of 256 kB of its own that somebody else fills and frees. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { openDenySpool } from '../src/index.ts';
import { entry, gapRecord, openSpool, readAll, told } from './kit.ts';

const run = promisify(execFile);

interface Disk {
  folder: string;
  fill(): void;
  free(): void;
}

/** Null where nothing can be mounted: skipped, but not in CI. */
async function mountDisk(t: Test): Promise<Disk | null> {
  const mountPoint = mkdtempSync(join(tmpdir(), 'edgeward-spool-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'edgeward-test', mountPoint]);
  } catch (thrown) {
    rmSync(mountPoint, { recursive: true, force: true });
    if (process.env.CI !== undefined) throw thrown;
    t.plan(0, 'mounting a disk needs root');
    return null;
  }
  t.teardown(async () => {
    await run('umount', ['--lazy', mountPoint]);
    rmSync(mountPoint, { recursive: true, force: true });
  });
  const ballast = join(mountPoint, 'ballast');
  const folder = join(mountPoint, 'spool');
  mkdirSync(folder);
  return { folder, fill: () => fillUp(ballast), free: () => rmSync(ballast, { force: true }) };
}

function fillUp(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let pages = 0; pages < 1000; pages += 1) writeSync(file, Buffer.alloc(4096));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
  } finally {
    closeSync(file);
  }
}

/** What compresses badly and is told apart. */
const record = (turn: number): string => `${turn} ${createHash('sha512').update(String(turn)).digest('hex').repeat(8)}`;

t.test(
  'on a full disk every append is answered, what is shed is counted, and the record of it comes with the room',
  async (t) => {
    const disk = await mountDisk(t);
    if (disk === null) return;
    const spool = await openSpool(t, { folder: disk.folder, segmentBytes: 16_384 });
    let [written, shed, asked] = [0, 0, 0];
    const write = async (times: number): Promise<void> => {
      for (let turn = 0; turn < times; turn += 1) {
        asked += 1;
        const { state } = await spool.append({ ...entry([record(asked)]), note: `up to ${asked}` });
        if (state === 'written') written += 1;
        else shed += 1;
      }
    };
    await write(10);
    t.equal(shed, 0);
    disk.fill();
    await write(40);
    t.ok(shed > 30, `${shed} shed`);
    t.match(spool.status(), { cause: 'disk', shed: { count: shed } });
    t.equal(Object.keys(await readAll(spool)).length, written, 'what was written can be read on a full disk');
    disk.free();
    await write(5);
    const records = Object.values(await readAll(spool));
    t.equal(told(records), shed, 'all of it by one record');
    t.strictSame([asked, records.length], [written + shed, written + 1]);
    t.equal(spool.status().shed, null);
  },
);

t.test('acknowledging on a full disk makes the room again', async (t) => {
  const disk = await mountDisk(t);
  if (disk === null) return;
  const spool = await openSpool(t, { folder: disk.folder, segmentBytes: 16_384 });
  let states: string[] = [];
  // The spool fills its disk alone.
  for (let turn = 0; turn < 400 && states.at(-1) !== 'shed'; turn += 1)
    states.push((await spool.append(entry([record(turn)]))).state);
  t.equal(states.at(-1), 'shed');
  await spool.acknowledge(spool.status().pending);
  states = [(await spool.append(entry(['after']))).state];
  t.strictSame(states, ['written']);
  t.strictSame(told(Object.values(await readAll(spool))), 1);
});

t.test('what was added up on a full disk outlives a process that was killed, and the note with it', async (t) => {
  const disk = await mountDisk(t);
  if (disk === null) return;
  // Never closed: what a process leaves that was killed.
  const killed = await openDenySpool({ folder: disk.folder, gapRecord });
  await killed.append({ ...entry([record(0)]), note: 'before' });
  disk.fill();
  let shed = 0;
  for (let turn = 1; turn <= 20; turn += 1) {
    const { state } = await killed.append({ ...entry([record(turn)]), note: `at ${turn}` });
    if (state === 'shed') shed += 1;
  }
  t.ok(shed > 0);
  const again = await openSpool(t, { folder: disk.folder });
  t.match(again.status(), { shed: { count: shed } });
  t.equal(again.note(), 'at 20');
  disk.free();
  await again.append(entry([]));
  t.equal(told(Object.values(await readAll(again))), shed);
  await killed.close();
});
