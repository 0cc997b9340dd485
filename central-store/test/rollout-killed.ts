/**
 * Rolls out what was published last, with points that say what the scenario has them say, and is killed by itself at the
 * write with the number that it was given: before a rename, after it, before bytes of the record, or after. At the end it
 * says how it ended and how many writes that took.
 */
import { createLogger } from '@edgeward/runtime';
import { createMembership, createPublishing, createRollout, DEFAULT_ROLLOUT, openStoreFolder } from '../src/index.ts';
import { killAtWrite } from './decisions/killed-at-write.ts';
import { stillClock } from './decisions/world.ts';

const [, , dir = '', scenario = 'good', killAt = '0'] = process.argv;
const writes = await killAtWrite(Number(killAt));

const clock = stillClock();
const logger = createLogger({ level: 'silent' });
const store = await openStoreFolder({ dir, clock, logger });
const { roots, record, proposals } = store;
const publishing = await createPublishing({
  ...{ store: store.store, dir, membership: createMembership(), clock, logger, checkpoint: () => record.checkpoint() },
});
const storeKey = await store.storeKey();
await publishing.setTrust({ root: roots.newest(), document: roots.newestSigned(), storeKey }, []);
const waves = [{ match: "tier == 'canary'" }, { all: true as const }];
const config = { ...DEFAULT_ROLLOUT, waves, settleSeconds: 5 };
const rollout = await createRollout({
  ...{ dir, config, record, proposals, publishing, clock, logger },
  root: () => roots.newest(),
});
await publishing.submitInventory([]);
await rollout.start();
const ends = new Set(['done', 'halted', 'returned', 'none']);
for (let turns = 0; turns < 100 && !ends.has(rollout.status().state); turns += 1) {
  for (const { point, head, state } of publishing.points()) {
    const refuses = scenario === 'refusing' && state?.version === 2 && point === 'edge-1';
    const nack = { revision: head.revision, stage: 'apply' as const, code: 'EDW_ERR_X', message: 'x' };
    rollout.heard({
      ...{ typ: 'edgeward-report/1', point, at: new Date(clock.now()).toISOString(), service: 's', epoch: head.epoch },
      ...{ revision: head.revision, applied: refuses ? 0 : head.revision, state: 'current', witnessed: null },
      ...{ nack: refuses ? nack : null, contradicted: false, denials: { total: 0, sinceMs: clock.now() } },
    });
  }
  clock.advance(1_000);
  await rollout.settled();
}
const versions = [...publishing.points()].map(({ point, state }) => `${point}=${state?.version}`).sort();
await rollout.close();
await publishing.close();
await store.close();
process.stdout.write(`${JSON.stringify({ state: rollout.status().state, versions, writes: writes() })}\n`);
