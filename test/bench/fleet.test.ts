/** That a fleet is run and counted as it should be; how quick it is, is no question here. */
import t from 'tap';
import { WHOLE } from './benchmark.ts';
import { fleetEstate } from './fleet-estate.ts';
import { runFleet } from './fleet-run.ts';
import { fleetWorld } from './fleet-world.ts';

const POINTS = 40;
const BLOCK = 20;

t.test('each change reaches the points that it concerns, once, and no other', async (t) => {
  const bench = { teardown: (run: () => Promise<void>) => t.teardown(run), progress: () => {}, part: WHOLE };
  const world = await fleetWorld(bench, POINTS);
  const changes = { point: 1, block: 1, everywhere: 1, version: 1 };
  const found = await runFleet(bench, world, fleetEstate(POINTS), {
    ...{ points: POINTS, perProcess: POINTS, changes, pauseMs: 100, quietMs: 100 },
  });
  t.equal(found.cold.tookMs.length, POINTS);
  const concerned = { point: 1, block: BLOCK, everywhere: POINTS, version: POINTS };
  for (const it of found.changed) {
    t.equal(it.concerned, concerned[it.kind], it.kind);
    t.equal(it.appliedMs.length, concerned[it.kind], it.kind);
    t.match(it, { missing: 0, others: 0 }, it.kind);
  }
  t.match(found, { behind: 0, errors: {} });
  t.ok(found.storeMemory.heldBytes > 0);
});
