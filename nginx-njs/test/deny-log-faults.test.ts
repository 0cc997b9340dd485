/** The deny log when it can't be written, is moved away or loses its writers in a flood: traffic goes on, and the sum is known. */
import { execFile } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parseDenyLine } from '@edgeward/deny-log';
import { type Edge, type EdgeServer, flood, onEveryNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { runs } from '../../test/parity/random-runs.ts';
import { eventually } from './fixtures/asking.ts';
import { killWorkers } from './fixtures/killing.ts';
import { smallPolicy } from './fixtures/policies.ts';

const claim = await onEveryNginx(t);
const run = promisify(execFile);

interface Books {
  denied: number;
  /** In lines that can be read, with what they stand for. */
  told: number;
  /** Lines that can't. */
  torn: number;
  lost: number;
  waiting: number;
  /** Lines in full, and those of a flood. */
  lines: number;
}

/** What NGINX counted, and what became of it. The file itself and every other one beside it are read. */
async function booksOf(edge: Edge): Promise<Books> {
  const { counts, waiting } = await edge.point().counts();
  const sum = (word: string): number =>
    counts.reduce((total, count) => total + (count.verdict === word ? count.total : 0), 0);
  const folder = join(edge.paths.denyLog, '..');
  const files = (await readdir(folder)).filter((name) => name.startsWith('deny.log'));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'latin1').catch(() => '')));
  const parsed = texts
    .flatMap((text) => text.split('\n').filter((line) => line !== ''))
    .map((line) => parseDenyLine(Buffer.from(line)));
  const records = parsed.flatMap((line) => line.records);
  return {
    denied: sum('deny'),
    told: records.reduce((total, { count = 1 }) => total + count, 0),
    torn: parsed.filter(({ unparsed }) => unparsed !== null).length,
    lost: sum('lost'),
    waiting,
    lines: records.length,
  };
}

/** When nothing waits any more. */
async function settled(edge: Edge): Promise<Books> {
  if (!(await eventually(async () => (await booksOf(edge)).waiting === 0))) throw new Error('something still waits');
  return booksOf(edge);
}

const front = (overrides: Partial<EdgeServer> = {}): EdgeServer => ({
  name: 'order-front',
  foldAfter: 5,
  foldSeconds: 1,
  spoof: true,
  ...overrides,
});

/** null where nothing can be mounted. The log is on a disk of its own then. */
async function mountLog(t: Test, edge: Edge): Promise<string | null> {
  const folder = join(edge.paths.denyLog, '..');
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0755', 'edgeward-test', folder]);
  } catch (thrown) {
    if (process.env.CI !== undefined) throw thrown;
    t.comment('mounting a disk needs root');
    return null;
  }
  t.teardown(() => run('umount', ['--lazy', folder]));
  return folder;
}

function fill(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let pages = 0; pages < 200; pages += 1) writeSync(file, Buffer.alloc(4096));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
  } finally {
    closeSync(file);
  }
}

claim(
  'on a full disk everybody is refused, what can not be written waits, and is told when there is room',
  async (t, on) => {
    const edge = await on.startEdge(t, {
      servers: [front(), front({ name: 'unfolded', bind: 'order-front', foldAfter: 0 })],
    });
    const disk = await mountLog(t, edge);
    if (disk === null) return;
    await edge.point().apply(smallPolicy({ revision: 1 }));
    const source = (nth: number): string => `192.0.2.${nth % 50}`;
    // A line that is there leaves a rest of its page, so that one is cut.
    await flood({ port: edge.port, requests: 1, source });
    fill(join(disk, 'ballast'));
    const folded = await flood({ port: edge.port, requests: 1000, source });
    const unfolded = await flood({ port: edge.ports.unfolded ?? 0, requests: 100, source });
    t.strictSame([folded.refused, unfolded.refused], [1000, 100], 'traffic goes on');
    const full = await booksOf(edge);
    t.comment(JSON.stringify(full));
    t.ok(full.waiting > 900, 'it waits');
    t.ok(full.lost >= 90 && full.lost <= 100, 'where nothing is folded it is lost, and counted');
    t.equal(full.told + full.lost + full.waiting, full.denied, 'nothing is in two places, or in none');
    rmSync(join(disk, 'ballast'));
    const after = await settled(edge);
    t.comment(JSON.stringify(after));
    t.match(after, { denied: 1101, lost: full.lost, waiting: 0 });
    t.equal(after.told + after.lost, after.denied);
    t.ok(after.torn <= 2, 'what was cut is one line more, of each worker at most');
    const errors = (await readFile(edge.paths.errorLog, 'utf8')).split('\n').length;
    t.ok(errors < 1101, `the error log has a bound too: ${errors} lines`);
  },
);

claim('a log that is renamed in a flood loses no line', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [front({ foldAfter: 30 })] });
  await edge.point().apply(smallPolicy({ revision: 1 }));
  let over = false;
  const flooding = flood({ port: edge.port, requests: 4000, source: (nth) => `192.0.2.${nth % 100}` }).finally(() => {
    over = true;
  });
  let renamed = 0;
  for (; renamed < 5; renamed += 1) {
    const written = async (): Promise<boolean> => (await readFile(edge.paths.denyLog).catch(() => '')).length > 0;
    await eventually(async () => (await written()) || over);
    if (!(await written())) break;
    await rename(edge.paths.denyLog, `${edge.paths.denyLog}.${renamed}`);
  }
  const seen = await flooding;
  t.ok(renamed > 0, `${renamed} renames`);
  t.match(await settled(edge), { denied: seen.sent, told: seen.sent, torn: 0, lost: 0 });
});

/** Whatever is killed in the lock of a zone leaves it locked, and every worker waits for it: so with njs, and so it is told. */
async function isLocked(edge: Edge): Promise<boolean> {
  const point = edge.point({ timeoutMs: 2000 });
  // The first call after a kill may have gone to a worker that was not there any more.
  for (let attempt = 0; attempt < 3; attempt += 1) if ((await point.probe().catch(() => null)) !== null) return false;
  return true;
}

claim('workers that are killed in a flood take at most a line each with them, and what waits stays', async (t, on) => {
  // A locked one could be killed no more.
  for (let life = 0; life < runs(1); life += 1) await killInFlood(t, await on.startEdge(t, { servers: [front()] }));
});

async function killInFlood(t: Test, edge: Edge): Promise<void> {
  const policy = smallPolicy({ revision: 1 });
  await edge.point().apply(policy);
  const over = new AbortController();
  const source = (nth: number): string => `192.0.2.${nth % 200}`;
  const endless = { requests: Number.POSITIVE_INFINITY, signal: over.signal, timeoutMs: 2000 };
  const flooding = flood({ port: edge.port, source, ...endless });
  let kills = 0;
  for (let round = 0; round < 4; round += 1) {
    await sleep(20 + round * 5);
    kills += await killWorkers(edge);
  }
  over.abort();
  const seen = await flooding;
  if (await isLocked(edge)) {
    t.comment(`${kills} workers killed, one of them in a lock`);
    await edge.restart();
    await edge.point().apply(policy);
    t.equal((await flood({ port: edge.port, requests: 10 })).refused, 10, 'a restart ends it');
    return;
  }
  const books = await settled(edge);
  const told = new Map<string, number>();
  for (const { ref, count = 1 } of await edge.denials()) told.set(ref, (told.get(ref) ?? 0) + count);
  const missing = books.denied - books.told;
  t.comment(`${kills} workers killed; ${seen.refused} answered, ${books.denied} counted, ${missing} in no line`);
  t.ok(seen.refused <= books.denied && books.denied <= seen.sent, 'all that were answered are counted');
  t.ok(missing >= 0, 'none is told twice');
  const short = [...seen.refs].filter(([ref, count]) => (told.get(ref) ?? 0) < count);
  t.ok(short.length <= kills, `${short.length} references lead nowhere`);
  await edge.kill();
}
