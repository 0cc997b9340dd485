/** The keeper beside a real NGINX, with a clock that only the test moves. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Edge, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { createCleanFlags } from '../../driver/hybrid/clean-flags.ts';
import { createSnapshotKeeper, type SnapshotKeeper } from '../../driver/hybrid/snapshot-keeper.ts';
import { createNginxProcess } from '../../driver/process/index.ts';
import { createSnapshotFolder } from '../../driver/snapshot/index.ts';
import { smallPolicy } from '../fixtures/policies.ts';

await requireNginx(t);

interface Kept {
  edge: Edge;
  keeper: SnapshotKeeper;
  /** Applies a policy, as the hybrid point does. */
  change(revision: number): Promise<void>;
  /** Lets time pass; what falls due is begun. */
  pass(seconds: number): void;
  taken: () => Promise<void>;
}

async function keep(t: { teardown(run: () => Promise<void>): unknown }): Promise<Kept> {
  const edge = await startEdge(t, { hybrid: { cachedCheck: false }, workers: 1 });
  const flags = createCleanFlags(edge.paths.flags);
  const point = edge.point({
    snapshots: { folder: edge.paths.snapshots, beforeSwitch: (desired) => flags.lower(desired.objects) },
  });
  const { folder, configFile } = edge.paths;
  const test = [...edge.binary.command, '-t', '-q', '-e', 'stderr', '-p', folder, '-c', configFile];
  let nowMs = 0;
  let timer: { dueMs: number; run: () => void } | null = null;
  let told: () => void = () => {};
  const keeper = createSnapshotKeeper({
    point: 'edge-1',
    folder: createSnapshotFolder(edge.paths.snapshots),
    flags,
    nginx: createNginxProcess({ point: 'edge-1', test, reload: null, pidFile: join(folder, 'nginx.pid') }),
    isCached: false,
    keep: 2,
    rules: { quietSeconds: 60, maxSlowSeconds: 600, reloadsPerHour: 2, minSecondsBetween: 5 },
    claim: point.claim,
    included: point.included,
    isAsWritten: async () => true,
    logger: { info: () => told(), warn: () => told() } as never,
    now: () => nowMs,
    after: (delayMs, run) => {
      const own = { dueMs: nowMs + delayMs, run };
      timer = own;
      return () => {
        if (timer === own) timer = null;
      };
    },
  });
  t.teardown(() => keeper.close());
  return {
    edge,
    keeper,
    change: async (revision) => {
      const policy = smallPolicy({ revision, allow: [`127.0.0.${revision}`] });
      await point.apply(policy);
      await keeper.applied(policy);
    },
    pass: (seconds) => {
      nowMs += seconds * 1000;
      if (timer !== null && timer.dueMs <= nowMs) timer.run();
    },
    taken: () =>
      new Promise((resolve) => {
        told = resolve;
      }),
  };
}

t.test('a quiet minute brings a snapshot, and no more than are allowed', async (t) => {
  const { keeper, change, pass, taken } = await keep(t);
  await change(1);
  t.match(keeper.status(), { slow: { objects: 1, since: 0 }, nextAt: 60_000, reloads: 0 });
  pass(30);
  await change(2);
  t.match(keeper.status(), { nextAt: 90_000 }, 'a change makes it wait');
  const first = taken();
  pass(60);
  await first;
  t.match(keeper.status(), { slow: null, nextAt: null, reloads: 1 });
  await change(3);
  const second = taken();
  pass(60);
  await second;
  await change(4);
  t.match(keeper.status(), { reloads: 2, slow: { objects: 1 }, nextAt: 90_000 + 3_600_000 }, 'an hour after the first');
  pass(-90);
  await change(5);
  t.match(keeper.status(), { nextAt: 60_000 + 3_600_000 }, 'of a clock that stepped back, an hour from then');
});

t.test('what was changed by hand vouches for nothing, and is replaced', async (t) => {
  const { edge } = await keep(t);
  const point = edge.hybrid();
  const policy = smallPolicy({ revision: 1, allow: ['127.0.0.1'] });
  await point.apply(policy);
  await point.takeSnapshot();
  const generation = point.snapshot().generation ?? '';
  await appendFile(join(edge.paths.snapshots, generation, 'http.conf'), '# by hand\n');
  t.match(await point.inspect(), { drift: [/not as it was written/] });
  await point.apply(policy);
  t.match(point.snapshot(), { slow: { objects: 1 } }, 'the module is asked again');
  await point.takeSnapshot();
  t.match(await point.inspect(), { drift: [] });
  t.match(point.snapshot(), { slow: null });
});
