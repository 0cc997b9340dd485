/** A follower over the transport, as a service runs it: with files of its own, and short pauses. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PointState } from '@edgeward/policy-format';
import { createLogger } from '@edgeward/runtime';
import type { Test } from 'tap';
import { createFollower, type Follower, type FollowerOptions } from '../../src/index.ts';
import { until } from './patience.ts';
import type { MakeClaim, Stage } from './stage.ts';

export async function following(claim: MakeClaim): Promise<void> {
  for (const [how, longPollMs] of Object.entries({ 'long polls': 20_000, 'hints and polls': 0 }))
    await claim(`a follower with ${how} takes over what changes`, async (t, stage) => {
      const { states } = await followed(t, stage, { longPollMs, pollMs: 2_000 });
      await until('the first state', () => isNewest(stage, states));
      for (const step of [stage.change, stage.decide, stage.change]) {
        await step();
        await until('the next state', () => isNewest(stage, states));
      }
      t.ok(states.every((state, at) => at === 0 || state.head.revision > (states[at - 1]?.head.revision ?? 0)));
    });

  await claim(
    'with no hint and no answer to any wait the change arrives all the same',
    async (t, stage) => {
      const { states } = await followed(t, stage, { pollMs: 300 });
      await until('the first state', () => isNewest(stage, states));
      await stage.hush?.();
      await stage.change();
      await until('the change', () => isNewest(stage, states));
      t.equal(states.length, 2);
    },
    ({ hush }) => (hush === undefined ? 'this far side can not be silenced' : null),
  );

  await claim('what was last known stays while the far side is away, and what it missed arrives', async (t, stage) => {
    const { states, follower } = await followed(t, stage, { pollMs: 300 });
    await until('the first state', () => isNewest(stage, states));
    const known = follower.state();
    await stage.cut();
    await until('the loss is noticed', () => follower.status().lastError?.code === 'EDW_ERR_STORE_UNREACHABLE');
    t.equal(follower.state(), known);
    await stage.change();
    await stage.heal();
    await until('the change', () => isNewest(stage, states));
    await until('all is well', () => follower.status().lastError === null);
  });

  await claim(
    'a follower reports what it took over',
    async (t, stage) => {
      const { states } = await followed(t, stage, { pollMs: 500 });
      await until('the first state', () => isNewest(stage, states));
      const { revision } = states.at(-1)?.head ?? {};
      await until('the report', () => stage.reports?.().at(-1)?.revision === revision);
      t.match(stage.reports?.().at(-1), {
        point: stage.point,
        service: 'conformance',
        nack: null,
        contradicted: false,
      });
    },
    ({ reports }) => (reports === null ? 'this way leads one way only' : null),
  );
}

export async function followed(
  t: Test,
  stage: Stage,
  options: Partial<FollowerOptions> = {},
): Promise<{ follower: Follower; states: PointState[] }> {
  const stateDir = await mkdtemp(join(tmpdir(), 'edgeward-feed-'));
  const states: PointState[] = [];
  const follower = createFollower({
    point: stage.point,
    transport: stage.transport,
    pinnedRoot: stage.pinned,
    stateDir,
    service: 'conformance',
    logger: createLogger({ level: 'silent' }),
    clock: stage.clock,
    coldStartMs: 0,
    onState: (state) => void states.push(state),
    ...options,
  });
  t.teardown(async () => {
    await follower.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  await follower.start();
  return { follower, states };
}

function isNewest(stage: Stage, states: readonly PointState[]): boolean {
  return states.at(-1)?.signedHead.payload === stage.head().payload;
}
