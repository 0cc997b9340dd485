/** A change that concerns many points: served first, in the mirror after, and never older things after a crash. */
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { headOf, payloadOf, type SignedDocument } from '@edgeward/policy-format';
import { simpleSlices } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type Bench, openBench, workload } from './publishing-kit.ts';
import { until } from './serving-kit.ts';

/** More than are written before they are served. */
const POINTS = Array.from({ length: 40 }, (_, n) => `edge-${n}`);

t.test('the mirror is as new as what is served soon after, and then nothing is noted', async (t) => {
  const bench = await many(t);
  await bench.publishing.submitInventory([workload(3)]);
  await until('the mirror is complete', () => bench.publishing.status().unwritten === 0);
  t.strictSame(await inMirror(bench), served(bench));
  await until('nothing is noted', () => noted(bench).then((them) => them === null));
});

t.test('what was served is noted before anybody is served it', async (t) => {
  const bench = await many(t);
  const before = await inMirror(bench);
  const seen: Promise<string | null>[] = [];
  bench.publishing.onPublished((point) => {
    if (seen.length === 0) seen.push(noted(bench).then((them) => (them?.includes(`${point}\n`) ? point : null)));
  });
  await bench.publishing.submitInventory([workload(3)]);
  t.type(await seen[0], 'string');
  t.not(bench.publishing.point('edge-0')?.cursor.revision, before['edge-0']);
});

t.test(
  'after a crash in between no point is given what lies in the mirror, and each is given a greater number',
  async (t) => {
    const bench = await many(t);
    const mirror = join(bench.dir, 'mirror/heads');
    const older = join(bench.dir, 'older');
    await mkdir(older);
    for (const file of await readdir(mirror)) await copyFile(join(mirror, file), join(older, file));
    await bench.publishing.submitInventory([workload(3)]);
    const last = served(bench);
    await bench.publishing.close();
    // As if the process had been killed before the first of them was in the mirror.
    for (const file of await readdir(older)) await copyFile(join(older, file), join(mirror, file));
    await writeFile(join(bench.dir, 'mirror-lag'), `${POINTS.join('\n')}\n`);
    await bench.reopen();
    t.equal(bench.publishing.point('edge-0'), null);
    // The very state that lies in the mirror: taken for the newest, its number would be one that points have passed.
    await bench.publishing.submitInventory([workload(1), workload(2)]);
    await bench.everywhere(await bench.approve(simpleSlices(POINTS)));
    for (const point of POINTS) t.ok((served(bench)[point] ?? 0) > (last[point] ?? 0), point);
  },
);

t.test('a note that nobody can read is one of every point', async (t) => {
  const bench = await many(t);
  await bench.publishing.close();
  await rm(join(bench.dir, 'mirror-lag'), { force: true });
  await mkdir(join(bench.dir, 'mirror-lag'));
  await bench.reopen();
  for (const point of POINTS) t.equal(bench.publishing.point(point), null);
});

t.test('where nothing can be noted, every head is in the mirror before it is served', async (t) => {
  const bench = await many(t);
  await rm(join(bench.dir, 'mirror-lag'), { force: true });
  await mkdir(join(bench.dir, 'mirror-lag'));
  await bench.publishing.submitInventory([workload(3)]);
  t.equal(bench.publishing.status().unwritten, 0);
  t.strictSame(await inMirror(bench), served(bench));
});

async function many(t: Test): Promise<Bench> {
  const bench = await openBench(t);
  await bench.publishing.submitInventory([workload(1), workload(2)]);
  await bench.everywhere(await bench.approve(simpleSlices(POINTS)));
  await until('the mirror is complete', () => bench.publishing.status().unwritten === 0);
  await until('nothing is noted', () => noted(bench).then((them) => them === null));
  return bench;
}

function noted({ dir }: Bench): Promise<string | null> {
  return readFile(join(dir, 'mirror-lag'), 'utf8').catch(() => null);
}

function served({ publishing }: Bench): Record<string, number> {
  return Object.fromEntries(POINTS.map((point) => [point, publishing.point(point)?.cursor.revision ?? 0]));
}

async function inMirror({ dir }: Bench): Promise<Record<string, number>> {
  const revisions: Record<string, number> = {};
  for (const point of POINTS) {
    const text = await readFile(join(dir, 'mirror/heads', `${point}.json`), 'utf8');
    revisions[point] = headOf(payloadOf(JSON.parse(text) as SignedDocument, 'a head', 16_384)).revision;
  }
  return revisions;
}
