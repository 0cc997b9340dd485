/**
 * From a request that NGINX denied to a row in PostgreSQL, over every hop in a process of its own: NGINX, `edgeward forward`, a
 * service with a ledger of its own, `edgeward collect`, and the server behind it. Each is killed at random moments, and a worker
 * of NGINX between its count and its line. The truth is on disk before a request is sent; in the end each denial that NGINX
 * wrote is there once, what it counted and did not write is a gap, and every sum is its own.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Edge, type Postgres, requireNginx, requirePostgres, startEdge, startPostgres } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { runs, seed } from '../parity/random-runs.ts';
import { prepareAudit } from './audit-places.ts';
import { type DeniedTruth, denyWithTruth } from './denied-truth.ts';
import { killableCommand } from './killable-command.ts';
import { type KillableService, killableService } from './killable-service.ts';
import { killBeforeLine, killWorker, refsWritten } from './nginx-deaths.ts';
import { preparePlace } from './running-service.ts';
import { site } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);
requirePostgres(t);
const kills = runs(6);
const start = seed();
/** What is behind may have backed off. */
const ATTEMPTS = 4_500;
t.setTimeout(240_000 + kills * 10_000);

/** A number from 0 up to, but not including, `below`; the same for the same seed (mulberry32). */
function dice(): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Victim {
  name: string;
  kill(): Promise<void>;
  start(): Promise<void> | void;
}

interface Stored {
  path: string;
  ref: string;
}

const stored = async (postgres: Postgres): Promise<Stored[]> =>
  (await postgres.sql('SELECT path, ref FROM edgeward.denial_events')) as unknown as Stored[];

/** The worker's lock may have died with it, which nothing but a start of all of NGINX gives back (docs/nginx.md). */
async function answersAgain(edge: Edge, truth: DeniedTruth): Promise<boolean> {
  const before = truth.answered().length;
  // Two requests of each of those who ask end without an answer meanwhile.
  for (let turn = 0; turn < 600 && truth.answered().length === before; turn += 1) await sleep(20);
  if (truth.answered().length > before) return true;
  await edge.restart();
  return false;
}

t.test(`${kills} kills on the way to PostgreSQL lose and double nothing (EDGEWARD_SEED=${start})`, async (t: Test) => {
  const draw = dice();
  const [edge, postgres] = await Promise.all([startEdge(t), startPostgres(t)]);
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const { denyLog } = edge.paths;
  const { forwarderFile, collectorFile, collectorUrl } = await prepareAudit({ place, denyLog, central: postgres });
  const service = killableService(t, place);
  const forwarder = killableCommand(t, [forwarderFile], join(import.meta.dirname, 'forwarder-process.ts'));
  const collector = killableCommand(t, ['collect', '--config', collectorFile]);
  collector.start();
  forwarder.start();
  await service.start();
  await until('the policy is in force', async () => (await service.status()).points[0]?.state === 'current');

  const truth = await denyWithTruth(place.folder, edge.port, 'any');
  t.teardown(() => truth.end().catch(() => {}));
  let hangs = 0;
  const victims: Victim[] = [
    { name: 'forwarder', ...forwarder },
    { name: 'service', ...service },
    { name: 'collector', ...collector },
    { name: 'PostgreSQL', kill: postgres.kill, start: postgres.restart },
    { name: 'NGINX', kill: edge.kill, start: edge.restart },
    {
      name: 'a worker',
      kill: () => killWorker(edge, draw(2)),
      async start() {
        if (!(await answersAgain(edge, truth))) hangs += 1;
      },
    },
  ];
  const order = victims.map((victim) => ({ ...victim, at: draw(1e6) })).sort((a, b) => a.at - b.at);
  const killed: string[] = [];
  for (let turn = 0; turn < kills; turn += 1) {
    await sleep(draw(400));
    // Each once before any is drawn.
    const victim = order[turn] ?? victims[draw(victims.length)];
    if (victim === undefined) throw new Error('nobody is to be killed');
    killed.push(victim.name);
    await victim.kill();
    await sleep(draw(200));
    await victim.start();
  }
  const why = async (thrown: unknown): Promise<never> => {
    t.comment(`collector: ${collector.said()}\nforwarder: ${forwarder.said()}`);
    t.comment(await fetch(`${collectorUrl}/readyz`).then((answer) => answer.text(), String));
    t.comment(JSON.stringify((await service.status()).points[0]?.denials));
    throw thrown;
  };
  const closed = async (least: number): Promise<{ unlogged: number; written: string[] }> => {
    const written = await refsWritten(edge);
    const books = () => closedBooks(service, written.length, least);
    return { written, ...(await eventually('the books are closed', books, ATTEMPTS).catch(why)) };
  };
  // Closed in a pause: what its counter had not told when all of NGINX was killed would hide as many that it did not write.
  await truth.end();
  const before = await closed(0);
  const last = await denyWithTruth(place.folder, edge.port, 'last');
  t.teardown(() => last.end().catch(() => {}));
  const unwritten = await killBeforeLine(edge);
  await last.end();
  const { unlogged, written } = await closed(before.unlogged + unwritten);
  t.comment(`killed: ${killed.join(', ')}, and ${unwritten} before they wrote; ${hangs} left a lock behind`);

  const enough = async () => {
    const found = await stored(postgres);
    return found.length >= written.length ? found : null;
  };
  const found = await eventually('all is in PostgreSQL', enough, ATTEMPTS).catch(why);

  const paths = new Set(found.map(({ path }) => path));
  const sent = new Set([...truth.sent(), ...last.sent()]);
  const unanswered = [...truth.unanswered(), ...last.unanswered()];
  t.strictSame(
    found.map(({ ref }) => ref).sort(),
    written,
    'each line that NGINX wrote is there once, and nothing else',
  );
  t.equal(paths.size, found.length, 'no denial twice');
  t.strictSame(
    [...truth.answered(), ...last.answered()].filter((path) => !paths.has(path)),
    [],
    'whoever was refused is there',
  );
  t.strictSame(
    found.filter(({ path }) => !sent.has(path)),
    [],
    'nobody else is',
  );
  t.ok(unlogged <= unanswered.length, 'a gap is of requests that were under way, and nothing more');
  t.comment(`${written.length} denials, ${unanswered.length} requests without an answer, ${unlogged} a gap`);
  const [sums] = await postgres.sql(`SELECT (SELECT sum(count) FROM edgeward.denial_events) AS events,
    (SELECT sum(count) FROM edgeward.denials_by_minute) AS minutes, (SELECT sum(count) FROM edgeward.denial_edges) AS edges,
    (SELECT sum(count) FROM edgeward.denial_totals) AS totals, (SELECT count(*) FROM edgeward.number_gaps) AS gaps`);
  const all = String(written.length);
  t.strictSame(sums, { events: all, minutes: all, edges: all, totals: all, gaps: '0' }, 'every sum is its own');
  const [named] = await postgres.sql(
    `SELECT count(*) AS count FROM edgeward.denial_events WHERE source_labels->>'env' = 'dev' AND point = 'edge-1'`,
  );
  t.ok(Number(named?.count) > 0, 'with the labels that the service knows');
});

/** All lines are stored, what was counted and not written is a gap, and the counter says as much. null: not yet. */
async function closedBooks(
  service: KillableService,
  lines: number,
  least: number,
): Promise<{ unlogged: number } | null> {
  const scraped = await service.metrics();
  const sumOf = (series: string): number =>
    [...scraped.matchAll(new RegExp(`^${series}.*\\} (\\d+)$`, 'gm'))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    );
  const [counted, stored] = ['edgeward_enforced_denials_total', 'edgeward_ledger_denials_total'].map(sumOf);
  const unlogged = sumOf('edgeward_gap_denials\\{.*cause="unlogged"');
  const isClosed = stored === lines && unlogged >= least && counted === stored + unlogged;
  return isClosed ? { unlogged } : null;
}
