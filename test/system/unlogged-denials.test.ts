/**
 * NGINX counts a denial before it writes its line. A worker that is killed in between leaves more counted than written: the
 * difference is a gap, once, over restarts of the service, and the books close. A line that comes later is taken out of it.
 */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NginxPoint } from '@edgeward/nginx-njs';
import { type Edge, requireNginx, startEdge } from '@edgeward/test/kit';
import t from 'tap';
import { preparePlace, type RunningService, startAt } from './running-service.ts';
import { ask, site, stranger } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);
const mostRounds = 40;
const killsOfARound = 10;
const atOnce = 8;

async function killWorkers(edge: Edge): Promise<void> {
  const master = Number(await readFile(join(edge.paths.folder, 'nginx.pid'), 'utf8'));
  const children = (await readFile(`/proc/${master}/task/${master}/children`, 'latin1')).split(' ').filter(Boolean);
  for (const child of children) killed(Number(child));
}

/** One that is gone already had its end from the kill before. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

const counted = async (point: NginxPoint): Promise<number> =>
  (await point.counts()).counts.reduce((sum, { verdict, total }) => (verdict === 'deny' ? sum + total : sum), 0);

/** How many more were counted than written, after the first kills that left some. */
async function killBetween(edge: Edge, point: NginxPoint): Promise<number> {
  const missing = async (): Promise<number> => (await counted(point)) - (await edge.denials()).length;
  for (let round = 0; round < mostRounds; round += 1) {
    const over = new AbortController();
    const asking = Array.from({ length: atOnce }, async () => {
      while (!over.signal.aborted) await ask(edge.port, stranger).catch(() => sleep(1));
    });
    for (let kill = 0; kill < killsOfARound; kill += 1) {
      await sleep(10 + (kill % 5));
      await killWorkers(edge);
    }
    over.abort();
    await Promise.all(asking);
    // A worker that is not there yet answers nothing.
    const left = await eventually('NGINX answers', () => missing().catch(() => null));
    if (left > 0) return left;
  }
  return 0;
}

interface Books {
  unlogged: number;
  left: number;
  observed: number;
}

function booksOf({ service }: RunningService): Books {
  const account = service.collector.accounts().find(({ point }) => point === 'edge-1');
  if (account === undefined) throw new Error('edge-1 has no books');
  const { observed, stored, gaps, pending } = account;
  const left = observed - stored - [...gaps.values()].reduce((sum, count) => sum + count, 0) - pending;
  return { unlogged: gaps.get('unlogged') ?? 0, left, observed };
}

t.test('what a killed worker had counted and not written is a gap, and the books close', async (t) => {
  const edge = await startEdge(t);
  const point = edge.point();
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const first = await startAt(t, place);
  await until('the policy is in force', async () => (await first.status()).points[0]?.state === 'current');
  const missing = await killBetween(edge, point);
  t.ok(missing > 0, 'a worker was killed in between');
  const denied = await counted(point);
  t.comment(`${denied} counted, ${missing} of them in no line`);

  const gap = { unlogged: missing, left: 0, observed: denied };
  await until('it is a gap', () => booksOf(first).unlogged === missing);
  t.strictSame(booksOf(first), gap);
  const { uncovered } = (await first.get('/v1/denials?sinceMs=0')).json as { uncovered: unknown };
  t.match(uncovered, [{ point: 'edge-1', cause: 'unlogged', count: missing }]);
  await first.stop();

  const again = await startAt(t, place);
  t.strictSame(booksOf(again), gap, 'after a restart it is the same one');
  const { ref } = await ask(edge.port, stranger);
  const [line] = (await readFile(edge.paths.denyLog, 'utf8')).split('\n').filter((text) => text.includes(`"${ref}"`));
  await appendFile(edge.paths.denyLog, `${line?.replace(`${ref}`, 'f'.repeat(16))}\n`);
  await until('a line that is late is in no gap any more', () => booksOf(again).unlogged === missing - 1);
  t.strictSame(booksOf(again), { unlogged: missing - 1, left: 0, observed: denied + 1 });
  t.match(await again.denials('sinceMs=0&limit=10000'), { denials: { length: denied + 1 - (missing - 1) } });
});
