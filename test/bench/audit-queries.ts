/** What questions take of a ledger of many days: the dashboards' own queries in PostgreSQL, and the terminal's in SQLite. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { denyEvent } from '../../audit-collector/src/deny-event.ts';
import type { Ledger } from '../../audit-collector/src/ledger/ledger.ts';
import { type LedgerPlace, openLedgerAt } from '../../audit-collector/src/ledger/open-ledger.ts';
import { queries } from '../../grafana/test/committed.ts';
import { sql } from '../../grafana/test/interpolation.ts';
import { everything } from '../../grafana/test/samples.ts';
import { benchLabels } from './audit-child.ts';
import { recordOf } from './audit-events.ts';
import type { Stage } from './audit-ingest.ts';
import type { Table } from './benchmark.ts';
import { fixed, median } from './statistics.ts';

const DAYS = 10;
const BATCH = 2_000;
const TRIES = 3;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export async function queryTimes(stage: Stage, stored: number): Promise<{ tables: Table[]; notes: string[] }> {
  // The end of the last whole hour: spans are what a dashboard asks for, and end where the events end.
  const endMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const tables = [await inSqlite(stage, stored, endMs)];
  if (stage.postgres !== null) tables.push(await inPostgres(stage, stored, endMs));
  const notes = [
    `${stored.toLocaleString('en')} events over ${DAYS} days; each question ${TRIES} times, the median.`,
    ...(stage.postgres === null ? ['There is no PostgreSQL here: the dashboards’ queries were not run.'] : []),
  ];
  return { tables, notes };
}

async function filled(stage: Stage, place: LedgerPlace, stored: number, endMs: number): Promise<Ledger> {
  const ledger = await openLedgerAt(place, { synchronous: 'NORMAL' });
  const stepMs = (DAYS * DAY_MS) / stored;
  for (let first = 1; first <= stored; first += BATCH) {
    if ((first - 1) % (BATCH * 250) === 0) stage.bench.progress(`${place.kind}: ${first - 1} of ${stored} events`);
    const events = Array.from({ length: Math.min(BATCH, stored - first + 1) }, (_, i) =>
      denyEvent(recordOf(first + i, Math.floor(endMs - (stored - first - i) * stepMs)), 'edge-1', benchLabels),
    );
    const storedMs = Date.parse(events.at(-1)?.time ?? '') + 1;
    await ledger.store({ point: 'edge-1', log: '/deny.log', storedMs, events, unparsed: [], cursors: [], losses: [] });
  }
  return ledger;
}

async function inSqlite(stage: Stage, stored: number, endMs: number): Promise<Table> {
  const folder = join(stage.folder, 'queries');
  await mkdir(folder);
  const ledger = await filled(stage, { kind: 'sqlite', file: join(folder, 'ledger.db') }, stored, endMs);
  const [dayMs, weekMs] = [endMs - DAY_MS, endMs - 7 * DAY_MS];
  const asked: [string, () => Promise<unknown>][] = [
    ['the newest hundred', () => ledger.search({})],
    ['of one address, a week', () => ledger.search({ source: '10.30.3.7', sinceMs: weekMs })],
    ['of one network, a day', () => ledger.search({ source: '10.30.4.0/24', sinceMs: dayMs })],
    ['of one label, a day', () => ledger.search({ labels: [APP], sinceMs: dayMs })],
    ['by its reference', () => ledger.byRef(String(Math.ceil(stored / 2)))],
    ['minutes of a day', () => ledger.minutes({ sinceMs: dayMs })],
    ['hours of a week', () => ledger.hours({ sinceMs: weekMs })],
    ['edges', () => ledger.edges({})],
  ];
  const rows: string[][] = [];
  for (const [name, ask] of asked) rows.push([name, fixed(await medianMs(ask))]);
  await ledger.close();
  await rm(folder, { recursive: true, force: true });
  return { head: ['SQLite, as the terminal and the API ask', 'ms'], rows };
}

const APP = { end: 'source', key: 'app', value: 'app-7' } as const;

async function inPostgres({ postgres, ...stage }: Stage, stored: number, endMs: number): Promise<Table> {
  if (postgres === null) throw new Error('there is no PostgreSQL');
  const { server } = postgres;
  const { host, port, user, passwordFile } = server;
  const database = await server.createDatabase();
  const place = { kind: 'postgres', host, port, user, passwordFile, database, clearText: false } as const;
  const ledger = await filled({ ...stage, postgres }, place, stored, endMs);
  await ledger.close();
  // As autovacuum does within a minute.
  await server.sql('ANALYZE', [], database);
  const span = (ms: number) => ({ fromMs: endMs - ms, toMs: endMs, stepMs: ms / 1_000, scrapeMs: 15_000 });
  const ref = String(Math.ceil(stored / 2));
  const rows: string[][] = [];
  for (const query of queries().filter(({ kind }) => kind === 'sql')) {
    const cells: string[] = [];
    for (const ms of [HOUR_MS, DAY_MS, 7 * DAY_MS]) {
      const text = sql(query.text, { variables: query.variables, choices: { ...everything, ref }, span: span(ms) });
      cells.push(fixed(await medianMs(() => server.sql(text, [], database))));
    }
    rows.push([query.name, ...cells]);
  }
  return { head: ['PostgreSQL, query of a dashboard: ms', 'an hour', 'a day', 'a week'], rows };
}

/** The first time is not left out: nobody asks a dashboard three times. */
async function medianMs(ask: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let tries = 0; tries < TRIES; tries += 1) {
    const from = performance.now();
    await ask();
    took.push(performance.now() - from);
  }
  return median(took);
}
