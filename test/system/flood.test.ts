/**
 * A flood of denials, from a client's request to the ledger: what its events say together is what NGINX counted and what the
 * clients saw, while it goes on, after it, and where NGINX died of it.
 */
import { copyFile, stat, truncate } from 'node:fs/promises';
import { type Edge, type EdgeServer, type Flood, flood, requireNginx, startEdge } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { runs } from '../parity/random-runs.ts';
import { preparePlace, type RunningService, startAt, sumOf } from './running-service.ts';
import { site } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);
t.jobs = 3;

async function startFlooded(t: Test, server: Partial<EdgeServer>): Promise<{ edge: Edge; it: RunningService }> {
  const edge = await startEdge(t, { servers: [{ name: 'order-front', spoof: true, ...server }] });
  const it = await startAt(t, await preparePlace(t, { edges: { 'edge-1': edge }, files: site }));
  await until('the policy is in force', async () => (await it.status()).points[0]?.state === 'current');
  return { edge, it };
}

interface Books {
  observed: number;
  stored: number;
  unlogged: number;
  /** Other gaps: a line that was cut. */
  others: number;
  pending: number;
}

function booksOf({ service }: RunningService): Books {
  const account = service.collector.accounts().find(({ point }) => point === 'edge-1');
  const { observed = 0, stored = 0, pending = 0, gaps = new Map<string, number>() } = account ?? {};
  const unlogged = gaps.get('unlogged') ?? 0;
  const others = [...gaps.values()].reduce((sum, count) => sum + count, -unlogged);
  return { observed, stored, unlogged, others, pending };
}

/** A gap that is none would be found after ten seconds of them. */
const windows = runs(6);
const foldSeconds = 2;

t.test(
  'a flood that goes on is in the ledger by its number, and nothing of it is said to be missing',
  { buffered: true },
  async (t) => {
    const { edge, it } = await startFlooded(t, { foldAfter: 20, foldSeconds });
    const begun = new Set<string>();
    it.service.collector.onDenial(({ event }) => {
      if (event.count > 1) begun.add(event.windowStart);
    });
    const over = new AbortController();
    const source = (nth: number): string => `192.0.2.${nth % 20}`;
    const flooding = (async (): Promise<Flood[]> => {
      const bursts: Flood[] = [];
      while (!over.signal.aborted) {
        bursts.push(await flood({ port: edge.port, requests: 400, connections: 4, source }));
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      return bursts;
    })();
    let missing = 0;
    await eventually(
      'many windows of it are stored',
      () => {
        missing = Math.max(missing, booksOf(it).unlogged);
        return begun.size >= windows ? true : null;
      },
      windows * foldSeconds * 250,
    ).finally(() => over.abort());
    const seen = await flooding;
    t.equal(missing, 0, 'no gap was seen meanwhile');

    const refused = seen.reduce((sum, burst) => sum + burst.refused, 0);
    await until('all of it is stored', () => booksOf(it).stored === refused);
    t.strictSame(booksOf(it), { observed: refused, stored: refused, unlogged: 0, others: 0, pending: 0 });
    const { denials } = await it.denials('sinceMs=0&limit=10000');
    t.ok(denials.length < 10_000 && denials.length < refused / 2, `${refused} denials are ${denials.length} events`);
    t.equal(
      denials.reduce((sum, { count }) => sum + count, 0),
      refused,
    );

    const shown = new Map<string, number>();
    for (const { refs } of seen) for (const [ref, times] of refs) shown.set(ref, (shown.get(ref) ?? 0) + times);
    t.strictSame(
      new Map(denials.map(({ ref, count }) => [ref, count])),
      shown,
      'each reference leads to what it was shown for',
    );
    const [ref, times] = [...shown].find(([, count]) => count > 1) ?? [];
    const why = await it.get(`/v1/why/${ref}`);
    t.match(why.json, {
      event: { count: times, source: /^192\.0\.2\./, reason: 'unknown-source', path: null },
      now: null,
    });
    const metrics = await it.metrics();
    const folded = denials.reduce(
      (sum, { count, windowStart, windowEnd }) => (windowStart === windowEnd ? sum : sum + count),
      0,
    );
    t.equal(sumOf(metrics, 'edgeward_folded_denials_total', { point: 'edge-1' }), folded);
    const enforced = async (): Promise<number | null> =>
      sumOf(await it.metrics(), 'edgeward_enforced_denials_total', { point: 'edge-1' });
    await until('NGINX says that it counted as many', async () => (await enforced()) === refused);
  },
);

t.test('what waited in an NGINX that was killed is missing, with its number', { buffered: true }, async (t) => {
  const { edge, it } = await startFlooded(t, { foldAfter: 20, foldSeconds: 1_000_000_000 });
  const { refused } = await flood({ port: edge.port, requests: 3000, source: () => '192.0.2.1' });
  const waiting = { observed: refused, stored: 20, unlogged: 0, others: 0, pending: refused - 20 };
  await until('it waits', () => booksOf(it).pending === waiting.pending);
  t.strictSame(booksOf(it), waiting);
  await edge.restart();
  await until('it is a gap', () => booksOf(it).unlogged > 0);
  t.strictSame(booksOf(it), { ...waiting, unlogged: refused - 20, pending: 0 });
});

t.test('what copytruncate takes in a flood is missing, with its number', { buffered: true }, async (t) => {
  const { edge, it } = await startFlooded(t, { foldAfter: 20, foldSeconds });
  const source = (nth: number): string => `192.0.2.${nth % 100}`;
  const flooding = flood({ port: edge.port, requests: 6000, source });
  await until('lines are there', async () => (await stat(edge.paths.denyLog)).size > 100_000);
  await copyFile(edge.paths.denyLog, `${edge.paths.folder}/copy`);
  await truncate(edge.paths.denyLog);
  const { refused } = await flooding;
  const books = await eventually('the books close', () => {
    const { observed, stored, unlogged, pending, others } = booksOf(it);
    return observed === refused && pending === 0 && stored + unlogged + others === observed ? booksOf(it) : null;
  });
  t.comment(`${refused} refused: ${JSON.stringify(books)}`);
  t.match(books, { observed: refused, pending: 0 });
});
