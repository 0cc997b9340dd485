/** PostgreSQL killed while it stores: what was acknowledged is there, nothing is there twice, and every sum is its own. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EdgewardError } from '@edgeward/runtime';
import t from 'tap';
import { requirePostgres } from '../../../test/kit/postgres.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { dice } from '../killing.ts';
import { collectorFor, denyLines, search, t0, until } from '../kit.ts';
import { batchOf, cursorAt, eventOf, numbered, storeNumbers } from './fixtures.ts';
import { postgresPlace } from './postgres-place.ts';
import { type StopName, type Stops, stopNames, stopsIn } from './postgres-stops.ts';

requirePostgres(t);
const place = await postgresPlace(t);
// What is killed is no disk: where it is killed is what counts.
const quick = await postgresPlace(t, { fsync: false });
const { seed, numRuns: kills } = search(t, 3);
const dayMs = 86_400_000;
/** Bounds what a round stores, not what it may take. */
const maxBatches = 500;

t.test(`killed at ${kills} random moments (EDGEWARD_SEED=${seed})`, async (t) => {
  const { open, sql } = place.make(t);
  const ledger = await open();
  const draw = dice(seed);
  let [next, day, acknowledged] = [1, 0, 0];

  /** Until the server is gone: one batch after the other, each again until it is answered for. */
  async function storeUntilKilled(): Promise<void> {
    const before = draw(12);
    let dying: Promise<void> | null = null;
    for (let batches = 0; batches < maxBatches; batches += 1) {
      if (batches === before) dying = setTimeout(draw(15)).then(() => place.server.kill());
      const seqs = Array.from({ length: 1 + draw(39) }, (_, i) => next + i);
      if (draw(5) === 0) day += draw(2);
      const isStored = await store(ledger, seqs, t0 + day * dayMs);
      if (!isStored) break;
      next += seqs.length;
      acknowledged = next - 1;
    }
    await dying;
  }

  const storedSeqs = async (): Promise<number[]> =>
    (await sql('SELECT ref FROM edgeward.denial_events')).map(({ ref }) => Number(String(ref).split('/')[2]));

  for (let round = 0; round < kills; round += 1) {
    await storeUntilKilled();
    await place.server.restart();
    const seqs = await storedSeqs();
    t.strictSame([...new Set(seqs)].length, seqs.length, 'nothing twice');
    for (const [i, seq] of seqs.toSorted((a, b) => a - b).entries()) {
      if (seq !== i + 1) t.fail(`${i + 1} is missing`);
    }
    t.ok(seqs.length >= acknowledged, 'all that was acknowledged');
  }
  // What was in hand when it was killed is given again, as its sender does.
  await storeNumbers(ledger, [numbered({ seq: next }), numbered({ seq: next + 1 })], t0 + day * dayMs);

  const stored = (await storedSeqs()).length;
  t.match(ledger.sums().sequences, [{ stored, missing: 0 }]);
  t.strictSame(ledger.sums(), await ledger.readSums());
  const sums = [ledger.sums().totals, await ledger.minutes({}), await ledger.hours({}), await ledger.edges({})];
  const counts = sums.map((rows: { count: number }[]) => rows.reduce((all, { count }) => all + count, 0));
  t.strictSame(counts, [stored, stored, stored, stored]);
  const [views] = await sql(`SELECT (SELECT sum(count) FROM edgeward.denial_events) AS events,
    (SELECT sum(count) FROM edgeward.denials_by_minute) AS minutes, (SELECT max(id) FROM edgeward.denial_events) AS last`);
  t.strictSame(
    views,
    { events: String(stored), minutes: String(stored), last: String(stored) },
    'with ids without a hole',
  );
  t.comment(`${stored} stored`);
});

const spoolEpoch = '5'.repeat(32);
const perBatch = 3;

/** A log, whose cursor tells what is stored, and a spool, whose numbers do: each gives again what was not acknowledged. */
function senders(ledger: Ledger) {
  const eventsOf = (point: string, first: number) =>
    Array.from({ length: perBatch }, (_, i) => eventOf({ ref: `${point}/${first + i}` }, point));
  const log = { point: 'edge-1', log: '/deny.log' };
  return {
    async log(first: number, storedMs: number): Promise<void> {
      const from = (await ledger.cursors(log.point, log.log))[0]?.offset ?? 0;
      if (from >= first - 1 + perBatch) return;
      const cursors = [{ from: from === 0 ? null : from, cursor: cursorAt(first - 1 + perBatch) }];
      await ledger.store(batchOf(eventsOf(log.point, first), { ...log, cursors, storedMs }));
    },
    async spool(first: number, storedMs: number): Promise<void> {
      const records = eventsOf('edge-2', first).map((event, i) => ({ seq: first + i, event }));
      await ledger.storeSpooled({ point: 'edge-2', epoch: spoolEpoch, storedMs, records });
    },
  };
}

const named = stopNames.flatMap((stop): { stop: StopName; way: 'log' | 'spool' }[] => [
  ...(stop.endsWith('number') ? [] : [{ stop, way: 'log' as const }]),
  ...(stop.endsWith('cursor') ? [] : [{ stop, way: 'spool' as const }]),
]);

t.test(`killed at named moments: all of a batch is there or nothing (EDGEWARD_SEED=${seed})`, async (t) => {
  const draw = dice(seed);
  const { open, sql } = quick.make(t);
  const ledger = await open();
  const [give, stops] = [senders(ledger), await stopsIn(sql)];
  const shuffled = named.map((kill) => ({ ...kill, at: draw(1e6) })).sort((a, b) => a.at - b.at);
  const truth = { log: 0, spool: 0 };
  const all = { log: 'edge-1', spool: 'edge-2' };
  const stored = async (point: string): Promise<string[]> =>
    (await sql('SELECT ref FROM edgeward.denial_events WHERE point = $1 ORDER BY id', [point])).map(
      ({ ref }) => `${ref}`,
    );
  const upTo = (point: string, last: number): string[] => Array.from({ length: last }, (_, i) => `${point}/${i + 1}`);

  for (let round = 0; round < kills; round += 1) {
    const { stop, way } = shuffled[round % shuffled.length] ?? { stop: 'before commit', way: 'log' };
    // A day of its own each time, so that its table is made.
    const storedMs = t0 + (round + 1) * dayMs;
    const next = (): Promise<void> => give[way](truth[way] + 1, storedMs);
    await stops.arm(stop);
    const killed = await killAt(stops, next, () => {
      truth[way] += perBatch;
    });
    t.equal(killed, 'EDW_ERR_LEDGER_UNREACHABLE', `${way}, ${stop}`);
    await quick.server.restart();
    await stops.disarm();
    const kept = stop === 'after commit' ? perBatch : 0;
    t.strictSame(await stored(all[way]), upTo(all[way], truth[way] + kept), `${way}, ${stop}: ${kept} of ${perBatch}`);
    await next();
    truth[way] += perBatch;
    for (const kind of ['log', 'spool'] as const)
      t.strictSame(await stored(all[kind]), upTo(all[kind], truth[kind]), `${way}, ${stop}: each once`);
  }
  // Sums in memory are read anew with the next write: a log whose batch was stored, and not acknowledged, has had none yet.
  await give.log(truth.log + 1, t0 + (kills + 1) * dayMs);
  truth.log += perBatch;
  t.strictSame(ledger.sums(), await ledger.readSums());
  const sums = [ledger.sums().totals, await ledger.minutes({}), await ledger.hours({}), await ledger.edges({})];
  const counts = sums.map((rows: { count: number }[]) => rows.reduce((all, { count }) => all + count, 0));
  t.strictSame(
    counts,
    counts.map(() => truth.log + truth.spool),
    'every sum is its own',
  );
  t.match(ledger.sums().spools, truth.spool === 0 ? [] : [{ stored: truth.spool, missing: 0 }]);
  t.comment(
    `killed ${shuffled
      .slice(0, kills)
      .map(({ way, stop }) => `${way} ${stop}`)
      .join(', ')}`,
  );
});

t.test(
  'a collector goes on when its server is back, also one that began without, and says meanwhile why it waits',
  async (t) => {
    const { server, access, make } = quick;
    const { open, sql, database } = make(t);
    await (await open()).close();
    const log = join(t.testdir({}), 'deny.log');
    await writeFile(log, denyLines(0, 500));
    const ledger = { kind: 'postgres' as const, ...access(await database) };
    const collector = await collectorFor({ ledger, logs: [{ point: 'edge-1', file: log }], ledgerLookMs: 50 });
    t.teardown(() => collector.close());
    await collector.start();
    const stored = (): number => collector.status()[0]?.stored ?? 0;
    await until('the first lines are stored', () => stored() === 500);
    await server.kill();
    await until('it says so with nothing to store', () => collector.ledgerError() !== null);
    t.equal(collector.ledgerError()?.code, 'EDW_ERR_LEDGER_UNREACHABLE');
    await appendFile(log, denyLines(500, 1_000));
    t.equal(stored(), 500);
    await server.restart();
    await until('the rest is stored', () => stored() === 1_000);
    await until('it says nothing any more', () => collector.ledgerError() === null);
    await collector.close();

    await server.kill();
    await appendFile(log, denyLines(1_000, 1_500));
    const late = await collectorFor({ ledger, logs: [{ point: 'edge-1', file: log }] });
    t.teardown(() => late.close());
    await late.start();
    await until('it says why', () => late.status()[0]?.error?.code === 'EDW_ERR_LEDGER_UNREACHABLE');
    await server.restart();
    await until('what was written meanwhile is stored', () => late.status()[0]?.stored === 1_500);
    const [once] = await sql('SELECT count(*), count(DISTINCT ref) AS refs FROM edgeward.denial_events');
    t.strictSame(once, { count: '1500', refs: '1500' });
  },
);

/** Gives batches until the server stands still over one, and kills it there. Answers what became of that one. */
async function killAt(stops: Stops, give: () => Promise<void>, stored: () => void): Promise<string> {
  // Before a server waits for a standby a batch or two may pass it.
  for (let batches = 0; batches < maxBatches; batches += 1) {
    let [answer, isStopped]: [string | null, boolean] = [null, false];
    const giving = give().then(() => 'stored', codeOf);
    void giving.then((said) => {
      answer = said;
    });
    await until('it is stored, or stands still', async () => {
      isStopped = await stops.isReached();
      return isStopped || answer !== null;
    });
    if (isStopped) {
      await quick.server.kill();
      return giving;
    }
    if (answer !== 'stored') return String(answer);
    stored();
  }
  throw new Error('nobody came by');
}

const codeOf = (thrown: unknown): string => (thrown instanceof EdgewardError ? thrown.code : String(thrown));

/** false: the server was killed over it; whether it was stored nobody knows. */
async function store(ledger: Ledger, seqs: number[], storedMs: number): Promise<boolean> {
  const denials = seqs.map((seq) => numbered({ seq }));
  try {
    await storeNumbers(ledger, denials, storedMs);
    return true;
  } catch (thrown) {
    if (thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_LEDGER_UNREACHABLE') return false;
    throw thrown;
  }
}
