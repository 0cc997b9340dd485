import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';
import { runs, seed as seedOf } from '../../test/parity/random-runs.ts';
import { openPolicyCache, type PolicyCache, type PolicyCacheOptions, readSnapshotOf } from '../src/index.ts';
import { snapshotOf } from './fixtures/snapshots.ts';

/** A folder that cannot be written, while `work` runs. Root may write everywhere, so it goes on as someone else. */
async function whileClosed(folder: string, work: () => Promise<unknown>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  chmodSync(folder, 0o500);
  if (isRoot) process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
    chmodSync(folder, 0o700);
  }
}
const logger = createLogger({ level: 'silent' });
type Owner = Pick<Test, 'teardown'>;

async function open(t: Owner, dir: string, options: Partial<PolicyCacheOptions> = {}): Promise<PolicyCache> {
  const cache = await openPolicyCache({ dir, logger, ...options });
  t.teardown(() => cache.close());
  return cache;
}

/** Opens, asks, closes: as another process would find the folder. */
async function findIn(dir: string): Promise<{ revision: number | string; damaged: unknown; floor: number }> {
  const cache = await openPolicyCache({ dir, logger });
  const answer = await cache.loadSnapshot();
  await cache.close();
  if (answer.state !== 'loaded') return { revision: answer.state, damaged: null, floor: cache.floor() };
  const { revision, documents } = answer.snapshot;
  const isWhole = documents.join('\n') === [...snapshotOf(revision, documents.length).documents].join('\n');
  return { revision: isWhole ? revision : 'mixed', damaged: answer.damaged, floor: cache.floor() };
}

function policyOf(revision: number, bytes = 10): CompiledPolicy {
  const sources = { '4': 'x'.repeat(bytes) };
  const object: CompiledPolicy['objects'][number] = {
    name: 'a',
    hash: '',
    bind: 'a',
    kind: 'virtual-server',
    protocol: 'tcp',
    mode: 'enforce',
    ports: [],
    trustedProxies: null,
    failsafe: null,
    rules: [],
    classes: [[]],
    sources,
  };
  return { format: 1, point: 'edge-1', revision, hash: String(revision), objects: [object] };
}

t.test('a compiled policy is found by revision and point, until newer ones need its place', async (t) => {
  const cache = await open(t, t.testdir(), { maxPolicies: 2 });
  const policies = [1, 2, 3].map((revision) => policyOf(revision));
  for (const policy of policies) cache.remember(policy);
  t.equal(cache.recall(3, 'edge-1'), policies[2]);
  t.equal(cache.recall(2, 'edge-1'), policies[1]);
  t.equal(cache.recall(1, 'edge-1'), null);
  t.equal(cache.recall(3, 'edge-2'), null);
});

t.test('memory is bounded by bytes as well, and a policy larger than all of it is told in the log', async (t) => {
  const lines: string[] = [];
  const loud = createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
  const cache = await open(t, t.testdir(), { maxPolicyBytes: 25_000, logger: loud });
  for (const revision of [1, 2, 3]) cache.remember(policyOf(revision, 10_000));
  t.strictSame(
    [1, 2, 3].map((revision) => cache.recall(revision, 'edge-1')?.revision),
    [undefined, 2, 3],
  );
  t.strictSame(lines, []);
  cache.remember(policyOf(4, 30_000));
  t.equal(cache.recall(4, 'edge-1'), null);
  t.match(lines, [/policy_not_cached/]);
});

t.test('a snapshot is read back as it was saved, by this process and the next', async (t) => {
  const dir = join(t.testdir(), 'new', 'state');
  const cache = await openPolicyCache({ dir, logger });
  t.strictSame(await cache.loadSnapshot(), { state: 'none' });
  for (const lines of [0, 1, 5_000]) {
    const snapshot = snapshotOf(lines + 1, lines);
    await cache.saveSnapshot(snapshot);
    t.strictSame(await cache.loadSnapshot(), { state: 'loaded', snapshot, damaged: null }, `${lines} lines`);
  }
  t.equal(cache.floor(), 5_001);
  await cache.close();
  t.strictSame(await findIn(dir), { revision: 5_001, damaged: null, floor: 5_001 });
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.equal(statSync(join(dir, 'snapshot.ndjson')).mode & 0o777, 0o600);
});

t.test('snapshots saved at once are saved in order', async (t) => {
  const dir = t.testdir();
  const cache = await open(t, dir);
  await Promise.all([1, 2, 3, 4].map((revision) => cache.saveSnapshot(snapshotOf(revision))));
  t.match(await cache.loadSnapshot(), { state: 'loaded', snapshot: { revision: 4 } });
  t.match(readFileSync(join(dir, 'snapshot.ndjson.previous'), 'utf8').slice(0, 40), '"revision":3');
});

t.test('a document that holds a line break is refused, and the snapshot stays', async (t) => {
  const cache = await open(t, t.testdir());
  await cache.saveSnapshot(snapshotOf(1));
  await t.rejects(cache.saveSnapshot({ ...snapshotOf(2), documents: ['{"a":\n1}'] }), { message: /line break/ });
  t.match(await cache.loadSnapshot(), { state: 'loaded', snapshot: { revision: 1 }, damaged: null });
});

t.test('a damaged snapshot is never believed: the one before stands in, and the damage is told', async (t) => {
  const newest = 'snapshot.ndjson';
  const previous = 'snapshot.ndjson.previous';
  const flip = (path: string): void => {
    const bytes = readFileSync(path);
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };
  const table: { name: string; damage: (dir: string) => void; found: number | string; cause: RegExp | null }[] = [
    { name: 'nothing', damage: () => {}, found: 2, cause: null },
    { name: 'a bit flipped', damage: (dir) => flip(join(dir, newest)), found: 1, cause: /sha256 differs/ },
    { name: 'cut short', damage: (dir) => truncateSync(join(dir, newest), 2_000), found: 1, cause: /sha256 differs/ },
    { name: 'cut in the header', damage: (dir) => truncateSync(join(dir, newest), 30), found: 1, cause: /header/ },
    { name: 'empty', damage: (dir) => truncateSync(join(dir, newest), 0), found: 1, cause: /header/ },
    { name: 'no JSON', damage: (dir) => writeFileSync(join(dir, newest), 'hello\nthere\n'), found: 1, cause: /header/ },
    {
      name: 'another format',
      damage: (dir) => writeFileSync(join(dir, newest), '{"format":2}\n'),
      found: 1,
      cause: /header/,
    },
    { name: 'missing', damage: (dir) => rmSync(join(dir, newest)), found: 1, cause: /missing/ },
    { name: 'the one before', damage: (dir) => flip(join(dir, previous)), found: 2, cause: null },
    {
      name: 'both',
      damage(dir) {
        flip(join(dir, newest));
        truncateSync(join(dir, previous), 3);
      },
      found: 'damaged',
      cause: null,
    },
  ];
  for (const [index, { name, damage, found, cause }] of table.entries()) {
    const dir = join(t.testdir(), String(index));
    const cache = await openPolicyCache({ dir, logger });
    for (const revision of [1, 2]) await cache.saveSnapshot(snapshotOf(revision));
    await cache.close();
    damage(dir);
    const answer = await findIn(dir);
    t.match(answer, { revision: found, floor: 2 }, name);
    if (cause !== null) t.match(answer.damaged, cause, `${name}: told`);
    const heir = await openPolicyCache({ dir, logger });
    await heir.saveSnapshot(snapshotOf(3));
    await heir.close();
    t.match(await findIn(dir), { revision: 3, damaged: null }, `${name}: the next save mends it`);
    rmSync(join(dir, newest));
    const before = await findIn(dir);
    if (name !== 'both') t.equal(before.revision, found, `${name}: what is kept is whole, never the damaged one`);
  }
});

t.test('a snapshot is read beside the service that holds the folder, and nothing is written', async (t) => {
  const dir = t.testdir();
  t.strictSame(await readSnapshotOf(join(dir, 'nowhere')), { state: 'none' });
  t.strictSame(readdirSync(dir), []);
  const cache = await open(t, dir);
  t.strictSame(await readSnapshotOf(dir), { state: 'none' });
  const snapshot = { revision: 3, contentHash: 'c', takenAtMs: 1, documents: ['{"a":1}'] };
  await cache.saveSnapshot(snapshot);
  const files = readdirSync(dir).sort();
  t.strictSame(await readSnapshotOf(dir), { state: 'loaded', snapshot, damaged: null });
  t.strictSame(readdirSync(dir).sort(), files);
});

t.test('the revision floor never goes down', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'revision-floor');
  const reopened = async (): Promise<number> => (await findIn(dir)).floor;
  let cache = await openPolicyCache({ dir, logger });
  t.equal(cache.floor(), 0);
  await Promise.all([5, 9, 3].map((revision) => cache.raiseFloor(revision)));
  t.equal(cache.floor(), 9);
  await cache.saveSnapshot(snapshotOf(7));
  await cache.close();
  t.equal(await reopened(), 9, 'survives a restart, and a snapshot below it');
  for (const content of ['', '12', '1x\n', '-3\n', '1e9\n']) {
    writeFileSync(path, content);
    t.equal(await reopened(), 7, `${JSON.stringify(content)}: falls back to the snapshot`);
  }
  rmSync(path);
  t.equal(await reopened(), 7, 'missing: falls back to the snapshot');
  cache = await openPolicyCache({ dir, logger });
  await cache.raiseFloor(7);
  await cache.close();
  t.equal(readFileSync(path, 'utf8'), '7\n', 'and is written again');
});

t.test('two cannot share a state folder', async (t) => {
  const dir = t.testdir();
  const cache = await openPolicyCache({ dir, logger });
  const mend = /two services cannot share one/;
  await t.rejects(openPolicyCache({ dir, logger }), {
    code: 'EDW_ERR_STATE_IN_USE',
    message: String(process.pid),
    mend,
  });
  await cache.close();
  await (await open(t, dir)).close();
  t.notOk(existsSync(join(dir, 'lock')));
});

t.test('the lock of a process that is gone, or of another that got its pid, is taken over', async (t) => {
  const dir = t.testdir();
  const gone = spawn(process.execPath, ['-e', '']);
  await once(gone, 'exit');
  const locks = [{ pid: gone.pid, startedAt: '1' }, { pid: process.pid, startedAt: '1' }, 'half a lo', {}];
  for (const lock of locks) {
    const text = typeof lock === 'string' ? lock : JSON.stringify(lock);
    writeFileSync(join(dir, 'lock'), text);
    await (await openPolicyCache({ dir, logger })).close();
    t.pass(text);
  }
});

t.test('of many that open at once, one gets the folder', async (t) => {
  const dir = t.testdir({ lock: '{"pid":1,"startedAt":"x"}' });
  const opened = await Promise.allSettled(Array.from({ length: 8 }, () => openPolicyCache({ dir, logger })));
  const won = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  t.equal(won.length, 1);
  for (const cache of won) await cache.close();
});

t.test('a folder that cannot be made or written is a coded error at the start', async (t) => {
  const dir = t.testdir({ file: '', closed: {} });
  await t.rejects(openPolicyCache({ dir: join(dir, 'file', 'state'), logger }), {
    code: 'EDW_ERR_STATE_WRITE',
    mend: /stateDir/,
  });
  await t.rejects(openPolicyCache({ dir: join(dir, 'file'), logger }), { code: 'EDW_ERR_STATE_WRITE' });
  await t.rejects(openPolicyCache({ dir: '/proc', logger }), { code: 'EDW_ERR_STATE_WRITE' });
  const closed = { code: 'EDW_ERR_STATE_WRITE', mend: /chown or chmod/ };
  await whileClosed(join(dir, 'closed'), () =>
    t.rejects(openPolicyCache({ dir: join(dir, 'closed'), logger }), closed),
  );
});

t.test('a writer killed at any moment leaves the old snapshot or the new', async (t) => {
  const dir = t.testdir();
  const writer = startable(join(import.meta.dirname, 'fixtures', 'writer.ts'));
  let durable = 0;
  let seed = seedOf();
  t.comment(`EDGEWARD_SEED=${seed}`);
  const rounds = runs(12);
  for (let round = 0; round < rounds; round += 1) {
    const child = spawn(process.execPath, ['--conditions=edgeward-source', writer, dir, String(durable + 1)], {
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const killAfterMs = seed % 12;
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), killAfterMs));
    child.stdout.on('data', (text) => {
      durable = Math.max(durable, ...String(text).trim().split('\n').map(Number));
    });
    await once(child, 'close');
    const found = await findIn(dir);
    const isOldOrNew = found.revision === durable || found.revision === durable + 1;
    if (!isOldOrNew || found.damaged !== null || found.floor < durable) {
      t.fail(`round ${round}: ${durable} was durable, found ${JSON.stringify(found)}`);
    }
    durable = Math.max(durable, Number(found.revision));
  }
  t.ok(durable >= rounds, `${durable} snapshots`);
  t.strictSame(readdirSync(dir).toSorted(), ['revision-floor', 'snapshot.ndjson', 'snapshot.ndjson.previous']);
});
