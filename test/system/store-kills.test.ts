/**
 * `kill -9` of a store and of the sync services beside one another, and a full disk, at any moment, while machines and
 * people change everything and NGINX is asked all the time. `store-kills-nats.test.ts` is the same over NATS.
 */
import { requireNginx } from '@edgeward/test/kit';
import t from 'tap';
import { runs, seed } from '../parity/random-runs.ts';
import { diceOf } from './store-kills/dice.ts';
import { diskFaults, faults, longFaults } from './store-kills/faults.ts';
import { prove } from './store-kills/proof.ts';
import { openStage } from './store-kills/stage.ts';

await requireNginx(t);
const SAMPLE = 3;
const rounds = runs(SAMPLE);
const start = seed();
t.setTimeout(120_000 + rounds * 90_000);

t.test(`${rounds} faults of store, services and disk (EDGEWARD_SEED=${start})`, async (t) => {
  const dice = diceOf(start);
  const stage = await openStage(t, { dice, nats: false, revokeOneIn: 4 * rounds });
  const long = rounds > SAMPLE ? longFaults : {};
  const onDisk = 'reason' in stage.disk ? [] : Object.entries({ ...diskFaults, ...long });
  await prove(t, stage, dice.turns(rounds, [...Object.entries(faults), ...onDisk]));
  if ('reason' in stage.disk) t.test('a full disk', { skip: stage.disk.reason }, () => {});
});
