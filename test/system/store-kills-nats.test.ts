/** What `store-kills.test.ts` proves, with three nodes of NATS between the store and its points: killed, and cut off. */
import { requireNatsServer, requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { runs, seed } from '../parity/random-runs.ts';
import { diceOf } from './store-kills/dice.ts';
import { diskFaults, faults, longFaults, nodeFaults } from './store-kills/faults.ts';
import { prove } from './store-kills/proof.ts';
import { openStage } from './store-kills/stage.ts';

await requireNginx(t);
await requireNatsServer(t);
const SAMPLE = 2;
const rounds = runs(SAMPLE);
const start = seed();
t.setTimeout(120_000 + rounds * 90_000);

t.test(`${rounds} faults of nodes, store and services over NATS (EDGEWARD_SEED=${start})`, async (t) => {
  const dice = diceOf(start);
  const stage = await openStage(t, { dice, nats: true, revokeOneIn: 4 * rounds });
  // A short run breaks nodes: the rest is broken without NATS as well.
  const nodes = dice.turns(Math.ceil(rounds / 2), Object.entries(nodeFaults));
  const long = rounds > SAMPLE ? longFaults : {};
  const onDisk = 'reason' in stage.disk ? [] : Object.entries({ ...diskFaults, ...long });
  const others = dice.turns(rounds - nodes.length, [...Object.entries(faults), ...onDisk]);
  await prove(t, stage, dice.shuffled([...nodes, ...others]));
});
