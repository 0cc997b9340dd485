import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort, nginxEdition } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { createNginxProcess, type NginxProcess, type NginxProcessOptions } from '../../driver/process/index.ts';
import { pidOf } from '../../driver/process/proc-table.ts';
import type { NginxBinary } from '../../driver/server/index.ts';
import { body, eventually, started, writeConfig } from '../server/real-nginx.ts';

const { binary } = await nginxEdition('debian-12');

interface Stand {
  nginx: NginxProcess;
  prefix: string;
  port: number;
  pidFile: string;
  configure(body: string, extra?: string): Promise<void>;
}

/** An NGINX that somebody else started, and the words that its owner would write into edgeward.yaml. */
async function stand(t: Test, own: Partial<NginxProcessOptions> = {}): Promise<Stand> {
  const prefix = t.testdir();
  const port = await freePort();
  const write = (body: string, extra = ''): Promise<string> => writeConfig(prefix, { binary, port, body, extra });
  const configFile = await write('first');
  await started(t, { binary, port, prefix, configFile });
  const pidFile = join(prefix, 'nginx.pid');
  const words = wordsOf(binary, prefix, configFile);
  const nginx = createNginxProcess({ point: 'edge-1', test: [...words, '-t'], reload: null, pidFile, ...own });
  t.ok(await eventually(async () => (await nginx.workers()).serving.length === 2), 'two workers serve');
  return { nginx, prefix, port, pidFile, configure: async (...how) => void (await write(...how)) };
}

const wordsOf = ({ command }: NginxBinary, prefix: string, configFile: string): string[] => [
  ...command,
  ...['-e', 'stderr', '-p', prefix, '-c', configFile],
];

// Most of it is waiting for workers to be replaced.
t.jobs = 3;
const claim = (name: string, prove: (t: Test) => Promise<void>): unknown => t.test(name, { buffered: true }, prove);

claim('a reload brings new workers, and names the old ones until they are gone', async (t) => {
  const { nginx, port, configure } = await stand(t);
  const before = await nginx.workers();
  const held = await holdEachWorker(t, port, before.serving.length);
  await configure('second');
  await nginx.test();
  const { master, serving, old } = await nginx.reload();
  t.equal(master, before.master, 'the master is the same');
  t.equal(serving.filter((id) => before.serving.includes(id)).length, 0, 'none of the old ones serves');
  t.equal(await body(port), 'second');
  t.ok(old.length > 0 && old.every((id) => before.serving.includes(id)), 'whoever holds a connection is old');
  t.strictSame(await nginx.living(old), old);
  for (const socket of held) socket.destroy();
  t.ok(await eventually(async () => (await nginx.living(old)).length === 0), 'and gone with its last connection');
});

claim('a configuration that NGINX refuses is told with its reason, and nothing changes', async (t) => {
  const { nginx, port, configure } = await stand(t);
  await configure('second', 'nonsense;');
  await t.rejects(nginx.test(), {
    code: 'EDW_ERR_NGINX_CONFIG',
    message: /unknown directive "nonsense".*nginx\.conf:\d/,
  });
  t.equal(await body(port), 'first');
});

claim('a reload that passes the test and still fails is an error, and the old workers stay', async (t) => {
  const { nginx, port, configure } = await stand(t, { reloadTimeoutMs: 2_000 });
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const before = await nginx.workers();
  await configure('second', `} server { listen 127.0.0.1:${(taken.address() as { port: number }).port};`);
  await t.rejects(nginx.reload(), { code: 'EDW_ERR_NGINX_RELOAD', message: /the old workers still serve after 2 s/ });
  t.strictSame(await nginx.workers(), before);
  t.equal(await body(port), 'first');
});

claim('words that ask for the reload are run as they are, and what they say on failure is told', async (t) => {
  const { prefix, port, pidFile, configure } = await stand(t);
  const own = (reload: string[]): NginxProcess => createNginxProcess({ point: 'edge-1', test: [], reload, pidFile });
  await configure('second');
  await own([...wordsOf(binary, prefix, join(prefix, 'nginx.conf')), '-s', 'reload']).reload();
  t.equal(await body(port), 'second');
  await configure('third', 'nonsense;');
  const refused = own([...wordsOf(binary, prefix, join(prefix, 'nginx.conf')), '-s', 'reload']).reload();
  await t.rejects(refused, { code: 'EDW_ERR_NGINX_RELOAD', message: /unknown directive "nonsense"/ });
  await t.rejects(own(['false; touch /tmp/edgeward-shell']).reload(), { code: 'EDW_ERR_NGINX_PROCESS' }, 'no shell');
  await t.rejects(own(['no-such-program']).reload(), { code: 'EDW_ERR_NGINX_PROCESS' }, 'no program');
});

claim('a worker that died is replaced, and is not old', async (t) => {
  const { nginx } = await stand(t);
  const before = await nginx.workers();
  const [victim = ''] = before.serving;
  process.kill(pidOf(victim), 'SIGKILL');
  t.ok(await eventually(async () => isReplaced(await nginx.workers(), victim)), 'two serve again');
  t.strictSame(await nginx.living([victim]), []);
  t.strictSame((await nginx.reload()).old, []);
});

claim('a pid file that is missing, or names no master of NGINX, is an error and nobody is signalled', async (t) => {
  const prefix = t.testdir();
  const hangUps: string[] = [];
  const heard = (): void => void hangUps.push('SIGHUP');
  process.on('SIGHUP', heard);
  t.teardown(() => process.off('SIGHUP', heard));
  const table: [claim: string, text: string | null, message: RegExp][] = [
    ['no file', null, /ENOENT/],
    ['no number', 'nginx', /no process number/],
    ['several', '1\n2\n', /no process number/],
    ['no process', '4194304\n', /not to be seen/],
    ['somebody else', `${process.pid}\n`, /no master of NGINX/],
  ];
  for (const [index, [claim, text, message]] of table.entries()) {
    const pidFile = join(prefix, `${index}.pid`);
    if (text !== null) await writeFile(pidFile, text);
    const nginx = createNginxProcess({ point: 'edge-1', test: ['true'], reload: null, pidFile });
    await t.rejects(nginx.reload(), { code: 'EDW_ERR_NGINX_PROCESS', message }, claim);
  }
  t.strictSame(hangUps, []);
});

claim('while an older master serves beside, no reload is asked for', async (t) => {
  const { nginx, pidFile, prefix } = await stand(t);
  // What NGINX does with its pid file at USR2, whose new master would read the configuration for itself.
  const { master } = await nginx.workers();
  await writeFile(`${pidFile}.oldbin`, `${pidOf(master)}\n`);
  await t.rejects(nginx.reload(), { code: 'EDW_ERR_NGINX_RELOAD', message: /an older master \(\d+\) serves beside/ });
  await writeFile(join(prefix, 'nginx.pid.oldbin'), '4194304\n');
  await t.resolves(nginx.reload(), 'a file that was left behind is nobody');
});

const isReplaced = ({ serving }: { serving: string[] }, victim: string): boolean =>
  serving.length === 2 && !serving.includes(victim);

/** Connections that have sent nothing yet: more than workers, for the kernel deals them out as it likes. */
async function holdEachWorker(t: Test, port: number, workers: number): Promise<Socket[]> {
  const sockets = Array.from({ length: workers * 4 }, () => connect(port, '127.0.0.1'));
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  // A connection is accepted by the kernel before a worker has taken it: the answer to a later one says that it has.
  await body(port);
  return sockets;
}

// Alone: the clock is everybody's.
t.test('a clock that steps back while a reload is waited for makes nobody wait longer', async (t) => {
  const { pidFile } = await stand(t);
  // Nothing is reloaded, so that the old workers stay.
  const idle = createNginxProcess({ point: 'edge-1', test: [], reload: ['true'], pidFile, reloadTimeoutMs: 300 });
  const clock = Date.now;
  let asked = 0;
  // Not for ever: who waits by it is found out, and let go.
  Date.now = () => clock() - (asked++ < 50 ? asked * 60_000 : 0);
  try {
    await t.rejects(idle.reload(), { code: 'EDW_ERR_NGINX_RELOAD' });
  } finally {
    Date.now = clock;
  }
  t.ok(asked < 50, 'nobody waited for it to go on');
});
