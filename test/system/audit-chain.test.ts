/**
 * From a request that NGINX denied to a row in PostgreSQL, over every hop in a process of its own: `edgeward forward`, a
 * service with a ledger of its own, `edgeward collect`, and the server behind it. Each is killed at random moments. The truth
 * is on disk before a request is sent; in the end each denial is there once, and every sum is its own.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Postgres, requireNginx, requirePostgres, startEdge, startPostgres } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { runs, seed } from '../parity/random-runs.ts';
import { prepareAudit } from './audit-places.ts';
import { killableCommand } from './killable-command.ts';
import { killableService } from './killable-service.ts';
import { preparePlace } from './running-service.ts';
import { ask, dev, site, stranger } from './site.ts';
import { eventually, until } from './waiting.ts';

await requireNginx(t);
requirePostgres(t);
const kills = runs(4);
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

/** Requests until told to end. Each is in the file, and on disk, before it is sent. */
function traffic(truth: FileHandle, port: number, draw: (below: number) => number): { end(): Promise<void> } {
  const over = new AbortController();
  const asking = (async () => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      await truth.write(`/${n}\n`);
      await truth.datasync();
      const { status } = await ask(port, draw(4) === 0 ? dev : stranger, `/${n}`);
      if (status !== 403) throw new Error(`/${n} was answered ${status}`);
      await sleep(4);
    }
  })();
  // Heard of at the end.
  asking.catch(() => {});
  return {
    async end() {
      over.abort();
      await asking;
    },
  };
}

async function stored(postgres: Postgres): Promise<string[]> {
  const rows = await postgres.sql('SELECT path FROM edgeward.denial_events');
  return rows.map(({ path }) => String(path)).sort();
}

t.test(`${kills} kills on the way to PostgreSQL lose and double nothing (EDGEWARD_SEED=${start})`, async (t: Test) => {
  const draw = dice();
  const [edge, postgres] = await Promise.all([startEdge(t), startPostgres(t)]);
  const place = await preparePlace(t, { edges: { 'edge-1': edge }, files: site });
  const { denyLog } = edge.paths;
  const { forwarderFile, collectorFile, collectorUrl } = await prepareAudit({ place, denyLog, central: postgres });
  const service = killableService(t, place);
  const forwarder = killableCommand(t, ['forward', '--config', forwarderFile]);
  const collector = killableCommand(t, ['collect', '--config', collectorFile]);
  collector.start();
  forwarder.start();
  await service.start();
  await until('the policy is in force', async () => (await service.status()).points[0]?.state === 'current');

  const truth = await open(join(place.folder, 'truth'), 'a');
  t.teardown(() => truth.close());
  const requests = traffic(truth, edge.port, draw);
  const victims: Victim[] = [
    { name: 'forwarder', ...forwarder },
    { name: 'service', ...service },
    { name: 'collector', ...collector },
    { name: 'PostgreSQL', kill: postgres.kill, start: postgres.restart },
  ];
  const order = victims.toSorted(() => draw(3) - 1);
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
  await requests.end();
  t.comment(`killed: ${killed.join(', ')}`);

  const denied = (await readFile(join(place.folder, 'truth'), 'utf8')).split('\n').slice(0, -1).sort();
  const found = await eventually(
    'all is in PostgreSQL',
    async () => {
      const paths = await stored(postgres);
      return paths.length >= denied.length ? paths : null;
    },
    ATTEMPTS,
  ).catch(async (thrown: unknown) => {
    t.comment(`collector: ${collector.said()}\nforwarder: ${forwarder.said()}`);
    t.comment(await fetch(`${collectorUrl}/readyz`).then((answer) => answer.text(), String));
    throw thrown;
  });
  t.strictSame(found, denied, 'each once, and nothing else');
  const [sums] = await postgres.sql(`SELECT (SELECT sum(count) FROM edgeward.denial_events) AS events,
    (SELECT sum(count) FROM edgeward.denials_by_minute) AS minutes, (SELECT sum(count) FROM edgeward.denial_edges) AS edges,
    (SELECT sum(count) FROM edgeward.denial_totals) AS totals, (SELECT count(*) FROM edgeward.number_gaps) AS gaps`);
  const all = String(denied.length);
  t.strictSame(sums, { events: all, minutes: all, edges: all, totals: all, gaps: '0' }, 'every sum is its own');
  const [named] = await postgres.sql(
    `SELECT count(*) AS count FROM edgeward.denial_events WHERE source_labels->>'env' = 'dev' AND point = 'edge-1'`,
  );
  t.ok(Number(named?.count) > 0, 'with the labels that the service knows');
});
