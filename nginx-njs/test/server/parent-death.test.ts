import { freePort } from '@edgeward/test/kit';
import t from 'tap';
import { orphanEnds, startOrphan } from './orphan.ts';
import { answers, eventually, nginxBinary, runs, writeConfig } from './real-nginx.ts';

const binary = await nginxBinary(t);

t.test('nginx and its workers end with their parent, however that ends', async (t) => {
  for (const { name, end } of orphanEnds) {
    const prefix = t.testdir();
    const port = await freePort();
    const configFile = await writeConfig(prefix, { binary, port, body: 'x' });
    const { parent, gone, master, workers } = await startOrphan(t, { binary, prefix, configFile });
    t.ok(await answers(port), `${name}: it serves`);
    if (binary.image === undefined) t.equal(workers.length, 2);
    end(parent);
    await gone;
    for (const pid of [master, ...workers])
      t.ok(await eventually(async () => !(await runs(pid))), `${name}: ${pid} is gone`);
    t.notOk(await answers(port), `${name}: the port is free`);
  }
});
