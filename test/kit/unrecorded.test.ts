/** What scripts/unrecorded.cjs promises: it reaches into tap, and another tap may be made otherwise. */
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = fileURLToPath(import.meta.url);
const FORK = 'fork';
const FAULTS = 'faults';
/** Where tap's recorder keeps what it records. */
const RECORD = Symbol.for('@tapjs/processinfo.ProcessInfoNodeData');

function seen(): object {
  const { NODE_OPTIONS = '' } = process.env;
  return {
    recorded: RECORD in globalThis,
    sourceMaps: process.sourceMapsEnabled,
    handedOn: [...process.execArgv, NODE_OPTIONS].filter((word) => /processinfo|unrecorded/.test(word)),
  };
}

/** Errors that nobody waits for, between tests that pass. */
async function faults(): Promise<void> {
  const { default: t } = await import('tap');
  await t.test('nothing', async (t) => t.pass('passes'));
  await t.test('a timer', async () => {
    setTimeout(() => {
      throw new Error('thrown in a timer');
    });
    await new Promise(() => {});
  });
  await t.test('a rejection', async () => {
    void Promise.reject(new Error('rejected'));
    await new Promise(() => {});
  });
  await t.test('a test with one inside', async (t) => {
    await t.test('the one inside', async (t) => t.pass('passes'));
    setTimeout(() => {
      throw new Error('thrown after the one inside');
    });
    await new Promise(() => {});
  });
  await t.test('nothing again', async (t) => t.pass('passes'));
}

if (!isMainThread) parentPort?.postMessage(seen());
else if (process.argv[2] === FORK) process.send?.(seen(), () => process.disconnect());
else if (process.argv[2] === FAULTS) await faults();
else {
  const { default: t } = await import('tap');
  const nothing = { recorded: false, sourceMaps: false, handedOn: [] };
  await t.test('tap records nothing of a test, of its threads and of its forks', async (t) => {
    t.strictSame(seen(), nothing, 'the test itself');
    const [fromThread] = await once(new Worker(file), 'message');
    t.strictSame(fromThread, nothing, 'a thread');
    // Elsewhere a relative path would lead to nothing.
    const child = fork(file, [FORK], { cwd: tmpdir() });
    t.teardown(() => child.kill('SIGKILL'));
    const [fromFork] = await once(child, 'message');
    t.strictSame(fromFork, nothing, 'a fork');
  });
  await t.test('an error that nobody waits for fails the test it comes in, and those after it are run', async (t) => {
    const args = ['--require=./scripts/unrecorded.cjs', file, FAULTS];
    const child = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 60_000 });
    t.equal(child.status, 1, 'the file has failed');
    const lines = child.stdout.matchAll(/^ *((?:not )?ok) \d+ - (.*?)(?: #.*)?$/gm);
    const told = [...lines].map(([, ok, name]) => `${ok} ${name}`).filter((line) => line !== 'ok passes');
    const all = [
      'ok nothing',
      'not ok thrown in a timer',
      'not ok a timer',
      'not ok rejected',
      'not ok a rejection',
      'ok the one inside',
      'not ok thrown after the one inside',
      'not ok a test with one inside',
      'ok nothing again',
    ];
    t.strictSame(told, all, child.stderr);
  });
}
