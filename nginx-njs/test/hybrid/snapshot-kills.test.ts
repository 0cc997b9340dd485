/**
 * A service that dies at any step of taking a snapshot leaves an NGINX that judges by the policy in force: before and after
 * somebody reloads it, and through the next change. So does one that is overtaken.
 */
import { type Edge, rawRequest, requireNginx, startEdge } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type CleanFlags, createCleanFlags } from '../../driver/hybrid/clean-flags.ts';
import { type SnapshotParts, takeSnapshot } from '../../driver/hybrid/snapshot-taking.ts';
import { createNginxProcess } from '../../driver/process/index.ts';
import { createSnapshotFolder, diskOf, type SnapshotDisk } from '../../driver/snapshot/index.ts';
import { smallPolicy } from '../fixtures/policies.ts';

const ONE = '127.0.0.1';
const OTHER = '127.0.0.2';
const MOST_STEPS = 40;

await requireNginx(t);

t.test('killed at every step', async (t) => {
  const edge = await startEdge(t, { hybrid: { cachedCheck: false }, workers: 1 });
  const heir = edge.hybrid();
  let revision = 1;
  let allowed = ONE;
  await heir.apply(smallPolicy({ revision, allow: [allowed] }));
  await heir.takeSnapshot();
  let steps = 0;
  for (let n = 1; n <= MOST_STEPS; n += 1) {
    revision += 1;
    allowed = allowed === ONE ? OTHER : ONE;
    const policy = smallPolicy({ revision, allow: [allowed] });
    await heir.apply(policy);
    const left = await dyingAt(n, edge, (parts) => takeSnapshot(parts, policy, { inForce: '', nowMs: Date.now() }));
    if (left > 0) break;
    steps = n;
    await judges(t, edge, allowed, `killed at step ${n}`);
    await edge.reload();
    await judges(t, edge, allowed, `killed at step ${n}, and reloaded by somebody`);
  }
  t.ok(steps > 5 && steps < MOST_STEPS, `${steps} steps`);
  await heir.apply(smallPolicy({ revision: revision + 1, allow: [] }));
  await judges(t, edge, null, 'and nothing is left of it');
  await heir.takeSnapshot();
  t.match(await heir.inspect(), { revision: revision + 1, drift: [] });
});

t.test('a policy that comes while a snapshot is taken leaves nothing that vouches for the one before', async (t) => {
  const edge = await startEdge(t, { hybrid: { cachedCheck: false }, workers: 1 });
  const [point, other] = [edge.hybrid(), edge.hybrid()];
  const policy = smallPolicy({ revision: 1, allow: [ONE] });
  await point.apply(policy);
  const parts = partsOf(edge);
  const claim = async (): Promise<string | null> => {
    await other.apply(smallPolicy({ revision: 2, allow: [OTHER] }));
    return parts.claim();
  };
  const taken = await takeSnapshot({ ...parts, claim }, policy, { inForce: '', nowMs: Date.now() });
  t.strictSame(taken, { state: 'overtaken' });
  await edge.reload();
  await judges(t, edge, OTHER, 'after a reload');
});

t.test('a switch that was begun before the claim is refused, and finds the flags when it is tried again', async (t) => {
  const edge = await startEdge(t, { hybrid: { cachedCheck: false }, workers: 1 });
  const point = edge.hybrid();
  const policy = smallPolicy({ revision: 1, allow: [ONE] });
  await point.apply(policy);
  const parts = partsOf(edge);
  const flags = createCleanFlags(edge.paths.flags);
  let taken: unknown = null;
  const late = edge.point({
    snapshots: {
      folder: edge.paths.snapshots,
      // Begun, and the flags that there were are gone: only then the snapshot is taken.
      beforeSwitch: async (desired) => {
        await flags.lower(desired.objects);
        taken ??= await takeSnapshot(parts, policy, { inForce: '', nowMs: Date.now() });
      },
    },
  });
  const next = smallPolicy({ revision: 2, allow: [OTHER] });
  await t.rejects(late.apply(next), { code: 'EDW_ERR_POINT_TAKEN' });
  t.match(taken, { state: 'taken' });
  await judges(t, edge, ONE, 'the snapshot vouches for what is in force');
  await late.apply(next);
  await judges(t, edge, OTHER, 'and then no longer');
});

async function judges(t: Test, edge: Edge, allowed: string | null, when: string): Promise<void> {
  const bytes = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  for (const localAddress of [ONE, OTHER]) {
    const { status } = await rawRequest({ port: edge.port, bytes, localAddress });
    t.equal(status, localAddress === allowed ? 200 : 403, `${when}: ${localAddress}`);
  }
}

function partsOf(edge: Edge, disk: SnapshotDisk = diskOf): SnapshotParts {
  const { folder, configFile, snapshots, flags } = edge.paths;
  const test = [...edge.binary.command, '-t', '-q', '-e', 'stderr', '-p', folder, '-c', configFile];
  const claimant = edge.point();
  return {
    folder: createSnapshotFolder(snapshots, disk),
    flags: createCleanFlags(flags),
    nginx: createNginxProcess({ point: 'edge-1', test, reload: null, pidFile: `${folder}/nginx.pid` }),
    isCached: false,
    keep: 2,
    claim: claimant.claim,
  };
}

/** How many steps were left when it was over; 0: it died. Nothing happens after its death, clearing up included. */
async function dyingAt(n: number, edge: Edge, take: (parts: SnapshotParts) => Promise<unknown>): Promise<number> {
  let left = n;
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    left -= 1;
    if (left <= 0) throw new Error('killed');
    return work();
  };
  const parts = partsOf(edge, {
    write: (path, text) => step(() => diskOf.write(path, text)),
    link: (target, path) => step(() => diskOf.link(target, path)),
    remove: (path) => step(() => diskOf.remove(path)),
  });
  const { flags, nginx } = parts;
  const dying: CleanFlags = {
    ...flags,
    raise: (...args) => step(() => flags.raise(...args)),
    lower: (...args) => step(() => flags.lower(...args)),
    drop: (...args) => step(() => flags.drop(...args)),
    keepOnly: (...args) => step(() => flags.keepOnly(...args)),
  };
  await take({
    ...parts,
    flags: dying,
    nginx: { ...nginx, test: () => step(nginx.test), reload: () => step(nginx.reload) },
    claim: () => step(parts.claim),
  }).catch((cause: unknown) => {
    if (left > 0) throw cause;
  });
  return Math.max(0, left);
}
