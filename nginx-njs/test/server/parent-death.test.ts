import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '@edgeward/test/kit';
import t from 'tap';
import { answers, eventually, nginxBinary, runs, writeConfig } from './real-nginx.ts';

const binary = await nginxBinary(t);
const program = fileURLToPath(new URL('orphan-parent.ts', import.meta.url));

/** Ways in which a parent ends without a word to its NGINX. */
const ends: { name: string; end: (parent: ChildProcess) => void }[] = [
  { name: 'SIGKILL', end: (parent) => parent.kill('SIGKILL') },
  { name: 'SIGTERM', end: (parent) => parent.kill('SIGTERM') },
  { name: 'SIGINT to its whole group, as Ctrl-C does', end: (parent) => process.kill(-Number(parent.pid), 'SIGINT') },
  { name: 'process.exit', end: (parent) => parent.stdin?.write('end\n') },
];

t.test('nginx and its workers end with their parent, however that ends', async (t) => {
  for (const { name, end } of ends) {
    const prefix = t.testdir();
    const port = await freePort();
    const configFile = await writeConfig(prefix, { binary, port, body: 'x' });
    const parent = spawn(
      process.execPath,
      ['--conditions=edgeward-source', program, JSON.stringify(binary), prefix, configFile],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        detached: true,
      },
    );
    t.teardown(() => parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { master, workers } = JSON.parse(line.toString()) as { master: number; workers: number[] };
    t.ok(await answers(port), `${name}: it serves`);
    t.equal(workers.length, 2);
    const gone = once(parent, 'exit');
    end(parent);
    await gone;
    for (const pid of [master, ...workers])
      t.ok(await eventually(async () => !(await runs(pid))), `${name}: ${pid} is gone`);
    t.notOk(await answers(port), `${name}: the port is free`);
  }
});
