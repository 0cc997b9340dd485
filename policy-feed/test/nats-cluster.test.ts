import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireNatsServer } from '@edgeward/test/kit';
import t from 'tap';

await requireNatsServer(t);

t.test('a cluster of the kit ends with its parent, however that ends', async (t) => {
  const script = fileURLToPath(new URL('./fixtures/nats-orphan.ts', import.meta.url));
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const parent = spawn(process.execPath, ['--conditions=edgeward-source', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // What it kept on disk it can't take away itself.
      env: { ...process.env, TMPDIR: t.testdir() },
    });
    t.teardown(() => parent.kill('SIGKILL'));
    const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
    const { pids, servers } = JSON.parse(line) as { pids: number[]; servers: string[] };
    const port = Number(new URL(servers[0] ?? '').port);
    t.ok(await accepts(port), `${signal}: it serves`);
    const ended = once(parent, 'exit');
    parent.kill(signal);
    await ended;
    for (let attempt = 0; attempt < 200 && (await accepts(port)); attempt += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    t.notOk(await accepts(port), `${signal}: ${pids} is gone`);
  }
});

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
