/**
 * What keeping every denial takes: from a socket to the ledger, into a spool, out of a backlog, and what questions take
 * afterwards. EDGEWARD_BENCH_EVENTS, EDGEWARD_BENCH_BACKLOG and EDGEWARD_BENCH_STORED make it smaller.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresPrograms, startPostgres } from '../kit/postgres.ts';
import { backlog, spoolBacklog } from './audit-backlog.ts';
import { burst, ingest, type Stage } from './audit-ingest.ts';
import { queryTimes } from './audit-queries.ts';
import type { Bench, Benchmark } from './benchmark.ts';

const number = (name: string, usual: number): number => Number(process.env[`EDGEWARD_BENCH_${name}`] ?? usual);
const EVENTS = number('EVENTS', 400_000);
const BACKLOG = number('BACKLOG', 1_000_000);
const STORED = number('STORED', 10_000_000);

export const audit: Benchmark = {
  name: 'audit',
  measures: 'what keeping every denial takes, from a socket to the answer of a question',
  async run(bench) {
    const folder = await mkdtemp(join(tmpdir(), 'edgeward-bench-'));
    bench.teardown(() => rm(folder, { recursive: true, force: true }));
    const stage: Stage = { bench, folder, events: EVENTS, postgres: await postgresOf(bench) };
    const { table, notes } = await ingest(stage);
    const spool = await burst(stage);
    const waited = await backlog(stage, BACKLOG);
    const sent = await spoolBacklog(stage, BACKLOG);
    const asked = await queryTimes(stage, STORED);
    return {
      state: 'measured',
      tables: [table, spool, waited, sent, ...asked.tables],
      notes: [...notes, ...asked.notes],
    };
  },
};

async function postgresOf(bench: Bench): Promise<Stage['postgres']> {
  if (postgresPrograms() === null) return null;
  const server = await startPostgres(bench, { configuration: ['shared_buffers = 512MB', 'max_wal_size = 4GB'] });
  const [row] = await server.sql(`SELECT current_setting('data_directory') AS folder`);
  const pid = Number((await readFile(join(String(row?.folder), 'postmaster.pid'), 'utf8')).split('\n')[0]);
  return { server, pid };
}
