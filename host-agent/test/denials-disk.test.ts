/** Denials where the disk is full, and where somebody writes among the samples: told, counted, and nothing stands still. */
import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HOST_ADDRESSES, type ProbeFlow, requireHosts } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import type { HostDenials } from '../src/denials/index.ts';
import { type DenialsStage, denialsStage, reading, requireUlogd, settled, until } from './fixtures/denials-stage.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';

requireHosts(t);
await requireUlogd(t);
t.jobs = 4;

const execute = promisify(execFile);
const POLICY = hostPolicy({ revision: 4, allow: ['10.1.0.0/16'] });
const SAMPLED = POLICY.hash.slice(0, 8);
const callsFrom = (first: number, count: number): ProbeFlow[] =>
  Array.from({ length: count }, (_, n) => ({
    from: `203.0.113.${first + n}`,
    to: HOST_ADDRESSES.inet,
    port: 'udp/5999',
  }));

interface Disk {
  folder: string;
  fill(): void;
  free(): void;
}

async function smallDisk(t: Test): Promise<Disk> {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-disk-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  await execute('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'edgeward-test', folder]);
  t.teardown(() => execute('umount', ['--lazy', folder]));
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill: () => {
      for (let pages = 64; pages > 0; pages -= 1)
        try {
          appendFileSync(ballast, Buffer.alloc(4096));
        } catch {
          return;
        }
    },
    free: () => rmSync(ballast, { force: true }),
  };
}

t.test('on a full disk denials are counted, and told as soon as there is room', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  const disk = await smallDisk(t);
  await stage.point.apply(POLICY);
  const denials = await stage.open({ stateDir: disk.folder });
  denials.policyApplied(POLICY, 1, SAMPLED);
  await reading(stage);
  await stage.host.call(callsFrom(1, 3));
  await settled(stage, denials);
  disk.fill();
  for (let turn = 0; turn < 6 && !isFull(denials.warnings()); turn += 1) {
    // What is left of a page takes some records more.
    await stage.host.call(callsFrom(10 + 30 * turn, 30));
    await until('it is counted', () => denials.counters().denied >= 3 + 30 * (turn + 1));
  }
  t.ok(isFull(denials.warnings()), 'the agent says so');
  disk.free();
  await stage.host.call(callsFrom(200, 2));
  await settled(stage, denials);
  t.match(
    stage.service.gaps().find(({ cause }) => cause === 'spool-full'),
    { count: Number },
  );
  t.equal(stage.service.total(), denials.counters().denied, 'nothing is silent');
  t.strictSame(denials.warnings(), []);
});

const isFull = (warnings: readonly string[]): boolean =>
  warnings.some((words) => words.includes('the disk takes no more'));

t.test('an agent that begins on a full disk counts from then on, and tells when there is room', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  const disk = await smallDisk(t);
  disk.fill();
  await stage.point.apply(POLICY);
  const denials = await stage.open({ stateDir: disk.folder });
  denials.policyApplied(POLICY, 1, SAMPLED);
  await reading(stage);
  t.ok(denials.warnings().some((words) => words.startsWith('opening the spool of denials')));
  await stage.host.call(callsFrom(1, 4));
  disk.free();
  await settled(stage, denials);
  t.equal(stage.service.total(), 4);
  t.equal(new Set(stage.service.denials().map(({ source }) => source)).size, 4, 'samples waited in their file');
});

t.test('lines that are no samples change no total', async (t) => {
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  const path = join(stage.runtimeDir, 'samples.json');
  mkdirSync(stage.runtimeDir, { recursive: true });
  writeFileSync(path, `{"timestamp": "2026\n${'[]\n'.repeat(50)}${'x'.repeat(40_000)}\n\u0000\n`);
  const denials = await stage.open();
  denials.policyApplied(POLICY, 1, SAMPLED);
  await reading(stage);
  appendFileSync(path, '{"oob.prefix": "ew1|i|1|');
  await stage.host.call(callsFrom(1, 5));
  await settled(stage, denials);
  t.equal(stage.service.total(), 5);
  t.equal(stage.service.denials().length, 5, 'also the one behind half a line');
  t.strictSame(stage.service.gaps(), []);
});

t.test('a sample whose policy nobody knows is counted as such', async (t) => {
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  const denials = await stage.open();
  await reading(stage);
  const called = await calledUnjudged(stage, denials, 1);
  t.equal(stage.service.total(), called);
  t.strictSame(stage.service.denials(), [], 'none has a name');
});

const MOST_TURNS = 10;

/** Until a gap says so: a sample that comes a window after its count is told of as none. How many called. */
async function calledUnjudged(stage: DenialsStage, denials: HostDenials, first: number): Promise<number> {
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    await stage.host.call(callsFrom(first + 3 * turn, 3));
    await settled(stage, denials);
    if (stage.service.gaps().some(({ cause }) => cause === 'not-judged')) return 3 * (turn + 1);
  }
  throw new Error('no gap of what is not judged');
}

t.test('a policy whose file was damaged holds up no count, and no name of what comes after it', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  const before = await stage.open();
  before.policyApplied(POLICY, 1, SAMPLED);
  await reading(stage);
  await stage.host.call(callsFrom(1, 2));
  await settled(stage, before);
  await before.close();
  writeFileSync(join(stage.stateDir, 'denials', 'policies', `${POLICY.hash}.json`), '{"half');
  const denials = await stage.open();
  await reading(stage);
  const called = await calledUnjudged(stage, denials, 10);
  denials.policyApplied(POLICY, 1, SAMPLED);
  await stage.host.call(callsFrom(100, 4));
  await settled(stage, denials);
  const named = stage.service.denials().map(({ source }) => Number(source.split('.').at(-1)));
  t.strictSame(
    [named.some((caller) => caller >= 100), named.some((caller) => caller >= 10 && caller < 100)],
    [true, false],
  );
  t.equal(stage.service.total(), 2 + called + 4);
  t.strictSame(denials.warnings(), []);
});
