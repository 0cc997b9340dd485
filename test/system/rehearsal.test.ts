/** `edgeward demo break` and `mend` on the example policies: a real service, a real NGINX, and a consumer that goes on asking. */
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, requireNginx, startEdge } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { examplePolicies, run, type Said } from '../../cli/test/fixtures/run.ts';
import { type RunningService, startIn } from './running-service.ts';
import { ask } from './site.ts';

await requireNginx(t);

const consumer = '127.0.10.4';
const files = Object.fromEntries(
  ['inventory.yaml', 'shop.yaml'].map((name) => [name, readFileSync(join(examplePolicies, name), 'utf8')]),
);

interface Stage {
  running: RunningService;
  inventory: string;
  demo(scene: string): Promise<Said>;
  status(): Promise<number>;
}

/** With a consumer that asks again and again, as the demonstration's does. */
async function stage(t: Test): Promise<Stage> {
  const edge = await startEdge(t, { servers: [{ name: 'order-front', port: 80 }] });
  const running = await startIn(t, { edges: { 'edge-1': edge }, files, port: await freePort() });
  const status = async (): Promise<number> => (await ask(edge.port, consumer, '/v1/orders/7')).status;
  let asking = true;
  const traffic = (async () => {
    while (asking) await status();
  })();
  t.teardown(async () => {
    asking = false;
    await traffic;
  });
  const demo = (scene: string): Promise<Said> => run(['demo', scene, '--config', running.place.configFile]);
  return { running, inventory: join(running.place.policies, 'inventory.yaml'), demo, status };
}

t.test('an incident is made, found in three steps and mended', async (t) => {
  const { inventory, demo, status } = await stage(t);
  const broken = await demo('break');
  t.match(broken, { code: 0, err: '' });
  t.match(broken.out, /inventory\.yaml:4: crm-1 from env: prod to env: pord/);
  t.match(broken.out, /DENY edge-1 127\.0\.10\.4\(app=crm,env=pord,.* → order-front tcp\/80 .*unknown-source/);
  t.equal(await status(), 403, 'the consumer is cut off');
  t.match(await readFile(inventory, 'utf8'), /env: pord/);
  t.match(await demo('break'), { code: 3, err: /EDW_ERR_REHEARSAL.*broken already/ }, 'once');

  const mended = await demo('mend');
  t.match(mended, { code: 0, err: '' });
  const steps = [
    /1\. Who is denied {3}edgeward denials --source 127\.0\.10\.4\n.*DENY/,
    /2\. Why {3}edgeward why [0-9a-f]{16}\n[\s\S]*nearest +crm-orders\n +missed .*env/,
    /3\. What the inventory says {3}.*inventory\.yaml:4\n {2}labels: \{.*env: pord/,
    /And back {3}crm-1 from env: pord to env: prod\n {2}the same request now: .*\(revision \d+\)\n$/,
  ];
  for (const step of steps) t.match(mended.out, step);
  t.equal(await status(), 200, 'the consumer is back');
  t.equal(await readFile(inventory, 'utf8'), files['inventory.yaml'], 'to the byte as it was');
  t.match(await demo('mend'), { code: 3, err: /EDW_ERR_REHEARSAL.*nothing is broken/ }, 'once');
});

t.test('policies that are not the example are left alone', async (t) => {
  const { running, inventory, demo } = await stage(t);
  const own = (files['inventory.yaml'] ?? '').replace(consumer, '10.30.1.4');
  await writeFile(inventory, own);
  for (const scene of ['break', 'mend'])
    t.match(await demo(scene), { code: 3, err: /EDW_ERR_REHEARSAL.*does not hold the example policies/ }, scene);
  t.equal(await readFile(inventory, 'utf8'), own);
  await running.remove('inventory.yaml');
  t.match(await demo('break'), { code: 3, err: /EDW_ERR_REHEARSAL/ }, 'none at all');
  t.match(await run(['demo', 'break']), { code: 2, err: /--config/ }, 'a configuration is named, never guessed');
  t.match(await run(['demo', 'brake']), { code: 2, err: /break or mend/ });
});
