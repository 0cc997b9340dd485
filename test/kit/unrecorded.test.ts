/** What scripts/unrecorded.cjs promises: it reaches into tap, and another tap may be made otherwise. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const file = fileURLToPath(import.meta.url);
const FORK = 'fork';
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

if (!isMainThread) parentPort?.postMessage(seen());
else if (process.argv[2] === FORK) process.send?.(seen(), () => process.disconnect());
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
}
