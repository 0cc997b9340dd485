/** A real ulogd: its file that is put aside, one that an agent left behind, one that can't be started. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, systemClock } from '@edgeward/runtime';
import { HOST_ADDRESSES, requireHosts } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { readSampleLine } from '../src/denials/sample.ts';
import { openSampleFile } from '../src/denials/sample-file.ts';
import { superviseUlogd, type Ulogd } from '../src/denials/ulogd.ts';
import { findUlogd, ulogdConfiguration } from '../src/denials/ulogd-configuration.ts';
import { type DenialsStage, denialsStage, reading, requireUlogd, until } from './fixtures/denials-stage.ts';
import { hostPolicy } from './fixtures/host-fixture.ts';

requireHosts(t);
await requireUlogd(t);
t.jobs = 4;

const POLICY = hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] });

/** Processes of whose words this is one. */
function runningWith(word: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Boolean);
  return pids.filter((pid) => wordsOf(pid).includes(word));
}

function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it has ended
  }
}

function supervised(t: Test, stage: DenialsStage, folders?: readonly string[]): { ulogd: Ulogd; logged: string[] } {
  const logged: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => void logged.push(line) } });
  const { runtimeDir, host } = stage;
  const samplesPath = join(runtimeDir, 'samples.json');
  const extra = folders === undefined ? {} : { folders };
  const ulogd = superviseUlogd({ runtimeDir, samplesPath, where: host.where, clock: systemClock, logger, ...extra });
  t.teardown(() => ulogd.close());
  return { ulogd, logged };
}

t.test('no sample is lost or read twice while files are put aside', async (t) => {
  t.setTimeout(400_000);
  const stage = await denialsStage(t);
  await stage.point.apply(POLICY);
  const { ulogd } = supervised(t, stage);
  await reading(stage);
  const path = join(stage.runtimeDir, 'samples.json');
  let turns = 0;
  const reopen = (): boolean => {
    turns += 1;
    return ulogd.reopen();
  };
  const file = await openSampleFile({ path, places: null, reopen, maxBytes: 4_000 });
  const seen: string[] = [];
  const look = (): Promise<void> =>
    file.read((line) => {
      const read = readSampleLine(line);
      seen.push(read.state === 'sample' ? read.sample.source : read.state);
    });
  const sources = Array.from({ length: 60 }, (_, n) => `203.0.113.${n + 1}`);
  const calls: Promise<unknown>[] = [];
  for (let round = 1; round <= 6; round += 1) {
    const from = sources.slice(round * 10 - 10, round * 10);
    calls.push(stage.host.call(from.map((one) => ({ from: one, to: HOST_ADDRESSES.inet, port: 'udp/5999' }))));
    for (let looks = 0; looks < 400 && seen.length < round * 10; looks += 1) {
      await look();
      await file.settle();
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  await Promise.all(calls);
  await look();
  t.strictSame(seen.toSorted(), sources.toSorted());
  t.ok(turns >= 3, `${turns} files`);
});

t.test('one that an agent left behind is ended, and the group is read again', async (t) => {
  const stage = await denialsStage(t);
  const found = await findUlogd();
  if ('missing' in found) throw new Error(found.missing);
  mkdirSync(stage.runtimeDir, { recursive: true });
  const configuration = join(stage.runtimeDir, 'ulogd.conf');
  writeFileSync(configuration, ulogdConfiguration(found.plugins, join(stage.runtimeDir, 'samples.json')));
  const [program = '', ...words] = [...stage.host.where, ...found.words, '-c', configuration];
  const left = spawn(program, words, { stdio: 'ignore' });
  t.teardown(() => left.kill('SIGKILL'));
  const ended = once(left, 'close');
  writeFileSync(join(stage.runtimeDir, 'ulogd.pid'), String(left.pid));
  await reading(stage);
  const { ulogd } = supervised(t, stage);
  await ended;
  await until('another one was started', () => pidIn(stage) !== left.pid);
  await reading(stage);
  t.equal(ulogd.warning(), null);
});

t.test('one that ends at once is started again with pauses, and said once', async (t) => {
  const stage = await denialsStage(t);
  const folder = t.testdir({ ulogd: '#!/bin/sh\necho "x <8> ulogd.c: no group for you" >&2\nexit 3\n' });
  chmodSync(join(folder, 'ulogd'), 0o755);
  mkdirSync(stage.runtimeDir, { recursive: true });
  const { ulogd, logged } = supervised(t, stage, [folder]);
  await until('it is told', () => ulogd.warning() !== null);
  t.match(ulogd.warning(), /status 3: .*no group for you/);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  t.equal(logged.length, 1);
  t.match(JSON.parse(logged[0] ?? '{}'), {
    event: 'samples_missing',
    code: 'EDW_ERR_HOST_SAMPLES',
    mend: /Install ulogd2/,
  });
  await ulogd.close();
});

t.test('a number of a process that is somebody else now is left alone', async (t) => {
  const stage = await denialsStage(t);
  mkdirSync(stage.runtimeDir, { recursive: true });
  // Of this very process: it would not survive a mistake.
  writeFileSync(join(stage.runtimeDir, 'ulogd.pid'), String(process.pid));
  const { ulogd } = supervised(t, stage);
  await until('it reads', () => existsSync(join(stage.runtimeDir, 'samples.json')));
  t.equal(ulogd.warning(), null);
});

t.test('of several that were started one runs, also where a number could not be written', async (t) => {
  const stage = await denialsStage(t);
  const folder = t.testdir({});
  const program = join(folder, 'ulogd');
  writeFileSync(program, `#!/bin/sh\nexec tail -f ${program}\n`, { mode: 0o755 });
  // In the place of the file.
  const pidPath = join(stage.runtimeDir, 'ulogd.pid');
  mkdirSync(pidPath, { recursive: true });
  const { ulogd } = supervised(t, stage, [folder]);
  t.teardown(() => {
    for (const pid of runningWith(program)) process.kill(pid, 'SIGKILL');
  });
  await until('it is told', () => ulogd.warning() !== null);
  rmSync(pidPath, { recursive: true });
  // The file is there a moment before its number is.
  await until('the only one is the one that is written down', () => {
    const running = runningWith(program);
    return existsSync(pidPath) && running.length === 1 && running[0] === pidIn(stage);
  });
  await ulogd.close();
  t.strictSame(runningWith(program), [], 'and none is left when it is closed');
});

function pidIn({ runtimeDir }: DenialsStage): number {
  return Number(readFileSync(join(runtimeDir, 'ulogd.pid'), 'utf8'));
}
