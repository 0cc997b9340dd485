/** Denials where the disk is full, and where somebody writes among the samples: told, counted, and nothing stands still. */
import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HOST_ADDRESSES, type ProbeFlow, requireHosts } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { denialsStage, reading, requireUlogd, settled, until } from './fixtures/denials-stage.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';

requireHosts(t);
await requireUlogd(t);

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
  t.setTimeout(60_000);
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
  t.setTimeout(60_000);
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
  await stage.host.call(callsFrom(1, 3));
  await settled(stage, denials);
  t.strictSame(
    stage.service.records().map(({ kind, count }) => [kind, count]),
    [['gap', 3]],
  );
  t.match(stage.service.gaps(), [{ cause: 'not-judged' }]);
});
