import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { createLifecycle, createLogger, type Lifecycle } from '../src/index.ts';

const silent = createLogger({ level: 'silent' });

function open(t: { teardown(run: () => void): void }, deadlineMs?: number): Lifecycle {
  const lifecycle = createLifecycle(silent, deadlineMs === undefined ? {} : { deadlineMs });
  t.teardown(() => lifecycle.release());
  return lifecycle;
}

t.test('what was opened last closes first, once, and a failure stops nobody', async (t) => {
  const lifecycle = open(t);
  const closed: string[] = [];
  for (const name of ['first', 'second', 'third']) {
    lifecycle.onClose(name, async () => {
      closed.push(name);
      if (name === 'second') throw new Error('cannot');
    });
  }
  const [one, two] = await Promise.all([lifecycle.shutdown('test'), lifecycle.shutdown('again')]);
  t.strictSame(closed, ['third', 'second', 'first']);
  t.strictSame(one, { reason: 'test', unclosed: ['second'] });
  t.equal(two, one);
  t.equal(await lifecycle.ended, one);
});

t.test('what hangs is named at the deadline', async (t) => {
  const lifecycle = open(t, 1);
  lifecycle.onClose('waits for the one after it', () => {});
  lifecycle.onClose('hangs', () => new Promise(() => {}));
  t.strictSame((await lifecycle.shutdown('test')).unclosed, ['waits for the one after it', 'hangs']);
});

t.test('a closer that comes too late is called at once', async (t) => {
  const lifecycle = open(t);
  await lifecycle.shutdown('test');
  t.equal(lifecycle.ending.aborted, true);
  await new Promise<void>((resolve) => lifecycle.onClose('late', resolve));
});

const program = join(import.meta.dirname, 'fixtures', 'daemon.ts');

/** Starts the daemon, waits until it is ready, then gives it what `act` does; the answer is how it ended. */
async function run(
  how: string,
  act: (kill: (signal: NodeJS.Signals) => void) => void,
  t: Pick<typeof import('tap').t, 'teardown'>,
) {
  const child = spawn(process.execPath, ['--conditions=edgeward-source', program, how], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const log: { event: string; [key: string]: unknown }[] = [];
  createInterface(child.stderr).on('line', (line) => log.push(JSON.parse(line)));
  const said: string[] = [];
  createInterface(child.stdout).on('line', (line) => {
    said.push(line);
    if (line === 'ready') act((signal) => child.kill(signal));
    if (line === 'closing slowly') child.kill('SIGINT');
  });
  const [code] = await once(child, 'close');
  return { code, said, events: log.map((line) => line.event) };
}

t.test('a signal closes in order and ends with 0', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const ended = await run('quick', (kill) => kill(signal), t);
    t.strictSame(ended, { code: 0, said: ['ready', 'closed'], events: ['shutdown', 'shutdown_done'] }, signal);
  }
});

t.test('a signal that npm repeats is taken for one', async (t) => {
  const act = (kill: (signal: NodeJS.Signals) => void): void => {
    kill('SIGINT');
    kill('SIGTERM');
  };
  t.match(await run('quick', act, t), { code: 0, said: ['ready', 'closed'] });
});

t.test('a later second signal ends at once', async (t) => {
  t.match(await run('hang', (kill) => kill('SIGTERM'), t), { code: 130, said: ['ready', 'closing slowly'] });
});

t.test('what nobody caught is logged as a crash and ends with 1', async (t) => {
  for (const how of ['throw', 'reject']) t.match(await run(how, () => {}, t), { code: 1, events: ['crash'] }, how);
});
