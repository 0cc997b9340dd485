/**
 * Policies and snapshots change under load, and no answer is of a revision older than the one that was acknowledged when it
 * was asked for: with deltas before, during and after each reload, and with old workers that still answer. The same load
 * finds the mistakes that the protocol is there to avoid.
 */
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { type Edge, type OnNginx, onEveryNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { runs, seed } from '../../../test/parity/random-runs.ts';
import { type CleanFlags, createCleanFlags } from '../../driver/hybrid/clean-flags.ts';
import { takeSnapshot } from '../../driver/hybrid/snapshot-taking.ts';
import { createNginxProcess, type NginxProcess } from '../../driver/process/index.ts';
import { createSnapshotFolder } from '../../driver/snapshot/index.ts';
import { smallPolicy } from '../fixtures/policies.ts';
import { type Load, type LoadResult, startLoad, type Truth } from './transition-load.ts';

/** Some change with each revision, some are always allowed, some never. */
const CHANGING = Array.from({ length: 12 }, (_, i) => `127.0.1.${i + 1}`);
/** Of those: by turns, so that every revision takes somebody's access away. Where none does, no answer that is late is wrong. */
const EVEN = CHANGING.slice(0, 2);
const ODD = CHANGING.slice(2, 4);
const BY_CHANCE = CHANGING.slice(4);
const ALWAYS = ['127.0.2.1', '127.0.2.2'];
const NEVER = ['127.0.3.1', '127.0.3.2'];
/** So that a snapshot has more than a handful to say. */
const CROWD = Array.from({ length: 2000 }, (_, n) => `10.${n >> 8}.${n & 255}.7`);

interface Subject {
  apply(policy: CompiledPolicy): Promise<unknown>;
  takeSnapshot(): Promise<unknown>;
}

const chosen = seed();
const claim = await onEveryNginx(t, ['debian-14-njs']);

claim('no answer is older than what was acknowledged', async (t, on) => {
  t.comment(`EDGEWARD_SEED=${chosen} repeats this run; ${runs(1)} cycles`);
  const { result, drained } = await underLoad(t, on, runs(1), (edge) => edge.hybrid());
  t.strictSame(result.wrong, []);
  t.ok(drained > 0, 'old workers were there, or this proves nothing');
  for (const kind of ['kept alive', 'once', 'HTTP/2', 'held']) t.ok((result.by[kind] ?? 0) > 0, `some ${kind}`);
});

claim('nor with a check that NGINX may remember for a second', async (t, on) => {
  const { result } = await underLoad(t, on, runs(1), (edge) => edge.hybrid(), true);
  t.strictSame(result.wrong, []);
});

claim('the load finds what would be wrong: flags that go after the acknowledgement', async (t, on) => {
  const found = await wrongUnder(t, on, (edge) => {
    const { point, flags, take } = partsOf(edge, async () => {});
    let last: CompiledPolicy | null = null;
    return {
      async apply(policy) {
        last = policy;
        await point.apply(policy);
        setTimeout(() => void flags.lower(policy.objects).catch(() => {}), 300);
      },
      takeSnapshot: () => take(last, flags),
    };
  });
  t.ok(found > 0, `${found} wrong answers`);
});

claim('the load finds what would be wrong: flags that old and new workers share', async (t, on) => {
  const found = await wrongUnder(t, on, (edge) => {
    const { point, flags, take } = partsOf(edge, (policy) => flags.lower(policy.objects));
    const shared: CleanFlags = {
      ...flags,
      folderOf: () => flags.folderOf('gshared', false),
      raise: (_generation, isCached, objects) => flags.raise('gshared', isCached, objects),
      keepOnly: async () => {},
    };
    let last: CompiledPolicy | null = null;
    return {
      async apply(policy) {
        last = policy;
        await point.apply(policy);
      },
      takeSnapshot: () => take(last, shared),
    };
  });
  t.ok(found > 0, `${found} wrong answers`);
});

/** What is wrong is so for a moment, in which a busy machine may ask nothing: looked for until it is found, or five times. */
async function wrongUnder(t: Test, on: OnNginx, make: (edge: Edge) => Subject): Promise<number> {
  let found = 0;
  for (let attempt = 0; attempt < 5 && found === 0; attempt += 1)
    found = (await underLoad(t, on, 1, make)).result.wrong.length;
  return found;
}

/** The driver's parts, put together in another way than the driver does. */
function partsOf(edge: Edge, beforeSwitch: (desired: CompiledPolicy) => Promise<void>) {
  const flags = createCleanFlags(edge.paths.flags);
  const folder = createSnapshotFolder(edge.paths.snapshots);
  const point = edge.point({ snapshots: { folder: folder.path, beforeSwitch } });
  const nginx = processOf(edge);
  const take = async (policy: CompiledPolicy | null, own: CleanFlags): Promise<void> => {
    if (policy === null) return;
    const parts = { folder, flags: own, nginx, isCached: false, keep: 2, claim: point.claim };
    await takeSnapshot(parts, policy, { inForce: '', nowMs: Date.now() });
  };
  return { point, flags, take };
}

async function underLoad(
  t: Test,
  on: OnNginx,
  cycles: number,
  make: (edge: Edge) => Subject,
  cachedCheck = false,
): Promise<{ result: LoadResult; drained: number }> {
  const servers = [{ name: 'order-front' }, { name: 'second', bind: 'order-front', http2: true }];
  const edge = await on.startEdge(t, { hybrid: { cachedCheck }, servers, workers: 2, zoneSize: '8m' });
  const subject = make(edge);
  const history = revisions();
  const { truth } = history;
  const step = async (): Promise<void> => {
    const policy = history.next();
    truth.begun = policy.revision;
    // A worker that leaves closes the connection that pushes come over; the reconciler tries again too.
    await subject.apply(policy).catch((cause: unknown) => {
      if (cause instanceof EdgewardError && cause.code === 'EDW_ERR_POINT_UNREACHABLE') return subject.apply(policy);
      throw cause;
    });
    truth.acknowledged = policy.revision;
  };
  await step();
  await subject.takeSnapshot();
  const sources = [...CHANGING, ...ALWAYS, ...NEVER];
  const load = startLoad({ port: edge.port, http2Port: edge.ports.second ?? 0, sources, truth });
  let stopped: Promise<LoadResult> | null = null;
  const stop = (): Promise<LoadResult> => {
    stopped ??= load.stop();
    return stopped;
  };
  t.teardown(async () => void (await stop()));
  let drained = 0;
  for (let cycle = 0; cycle < cycles; cycle += 1) drained += await transition(subject, load, step, edge);
  const result = await stop();
  t.comment(JSON.stringify({ ...result, wrong: result.wrong.length, revisions: truth.begun, drained }));
  return { result, drained };
}

/** Deltas before, during and after one snapshot, and requests over connections of the workers before it. */
async function transition(subject: Subject, load: Load, step: () => Promise<void>, edge: Edge): Promise<number> {
  await step();
  await sleep(100);
  await load.hold([...CHANGING, ...NEVER]);
  const link = join(edge.paths.snapshots, 'current');
  const before = await readlink(link);
  const taking = { isOver: false };
  const taken = subject.takeSnapshot().finally(() => {
    taking.isOver = true;
  });
  taken.catch(() => {});
  // A change before the snapshot vouches for anything would only have it taken anew. All of this is bounded by the reload.
  while (!taking.isOver && (await readlink(link)) === before) await sleep(1);
  while (!taking.isOver) {
    await step();
    await sleep(20);
  }
  await taken;
  const { leaving } = await processOf(edge).workers();
  await step();
  await load.useHeld();
  await subject.takeSnapshot();
  await sleep(50);
  return leaving.length;
}

function processOf(edge: Edge): NginxProcess {
  const { command } = edge.binary;
  return createNginxProcess({
    point: 'edge-1',
    test: [...command, '-t', '-q', '-e', 'stderr', '-p', edge.paths.folder, '-c', edge.paths.configFile],
    reload: null,
    pidFile: join(edge.paths.folder, 'nginx.pid'),
  });
}

function revisions(): { truth: Truth; next(): CompiledPolicy } {
  const allowed: Set<string>[] = [new Set()];
  const random = generator(chosen);
  return {
    truth: {
      acknowledged: 0,
      begun: 0,
      isAllowed: (revision, source) => allowed[revision]?.has(source) === true,
    },
    next: () => {
      const byTurns = allowed.length % 2 === 0 ? EVEN : ODD;
      const now = [...ALWAYS, ...byTurns, ...BY_CHANCE.filter(() => random() < 0.5)];
      allowed.push(new Set(now));
      return smallPolicy({ revision: allowed.length - 1, allow: [...now, ...CROWD] });
    },
  };
}

/** mulberry32: small, and the same for a seed. */
function generator(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
