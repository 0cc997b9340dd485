/** What lies in the folder of a store, and who may have it. */
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openStoreFolder } from '../src/index.ts';
import { bundle, CRM, FRONT, logger, openWorld, PLAIN, policy } from './decisions/world.ts';

const LONGER = bundle(FRONT, policy(CRM, { ...CRM, id: 'more', ports: ['tcp/8443'] }));

t.test('a version that was taken away, or changed, is told and not built upon', async (t) => {
  for (const damage of ['taken away', 'changed'] as const) {
    const world = await openWorld(t);
    await world.publish(PLAIN);
    await world.publish(LONGER);
    if (damage === 'changed') writeFileSync(join(world.dir, 'versions', '1', 'bundle.ndjson'), LONGER.bytes);
    else rmSync(join(world.dir, 'versions', '1'), { recursive: true });
    await t.rejects(
      world.reopen().then((store) => store.proposals.bundle(1)),
      { code: 'EDW_ERR_STORE_FOLDER' },
      damage,
    );
  }
});

t.test('keys are closed to others, and one store is one process', async (t) => {
  const world = await openWorld(t);
  for (const name of readdirSync(join(world.dir, 'keys')))
    t.equal(statSync(join(world.dir, 'keys', name)).mode & 0o777, 0o600, name.slice(0, 5));
  await t.rejects(openStoreFolder({ dir: world.dir, clock: world.clock, logger }), { code: 'EDW_ERR_STATE_IN_USE' });
  t.match(await world.store.storeKey(), { kid: world.root().storeKeys[0]?.kid ?? '' });
});
