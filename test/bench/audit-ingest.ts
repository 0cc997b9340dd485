/** Denials from a socket to the committed ledger: how many a second, what each costs, and what rsyslog takes for a line. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBatchSender, type DenyBatch } from '@edgeward/deny-log';
import { openDenySpool } from '@edgeward/deny-spool';
import type { LedgerPlace } from '../../audit-collector/src/ledger/open-ledger.ts';
import { type TestCertificates, testCertificates } from '../kit/certificates.ts';
import type { Postgres } from '../kit/postgres.ts';
import { hslChunk, wireRecords } from './audit-events.ts';
import { type AuditProcess, startAuditProcess, treeCpuMs } from './audit-process.ts';
import { findRsyslog, startRsyslog } from './audit-rsyslog.ts';
import type { Bench, Table } from './benchmark.ts';
import { fixed } from './statistics.ts';

export interface Stage {
  bench: Bench;
  folder: string;
  events: number;
  /** null: there is none. */
  postgres: { server: Postgres; pid: number } | null;
}

const CHUNK = 2_000;
/** Three minutes of nothing are no measurement. */
const MOST_TRIES = 180;

export async function ingest(stage: Stage): Promise<{ table: Table; notes: string[] }> {
  const certificates = await testCertificates(join(stage.folder, 'certificates'));
  const ledgers = stage.postgres === null ? (['SQLite'] as const) : (['SQLite', 'PostgreSQL'] as const);
  const rows: string[][] = [];
  for (const ledger of ledgers)
    for (const way of ['HSL', 'batches'] as const) rows.push(await measured(stage, certificates, way, ledger));
  const rsyslog = await rsyslogRow(stage);
  if (typeof rsyslog !== 'string') rows.push(rsyslog.row);
  return {
    table: {
      head: [
        'from a socket to the ledger',
        'events',
        'a second',
        'CPU µs an event',
        'server’s CPU µs an event',
        'bytes an event on disk',
        'greatest memory, MB',
      ],
      rows,
    },
    notes: [
      `As fast as one sender on the same two cores can, until the last event is committed; labels of both ends from a table of 256 workloads, rollups kept.`,
      typeof rsyslog === 'string'
        ? `rsyslog was not measured: ${rsyslog}.`
        : `rsyslog ${rsyslog.version} writes the same lines to a file as they came, with neither a sync nor a count of what is there.`,
    ],
  };
}

async function placeOf({ folder, postgres }: Stage, ledger: string, way: string): Promise<[LedgerPlace, string]> {
  if (ledger === 'SQLite' || postgres === null) {
    await mkdir(join(folder, way));
    return [{ kind: 'sqlite', file: join(folder, way, 'ledger.db') }, join(folder, way)];
  }
  const { host, port, user, passwordFile } = postgres.server;
  const database = await postgres.server.createDatabase();
  return [{ kind: 'postgres', host, port, user, passwordFile, database, clearText: false }, database];
}

async function measured(
  stage: Stage,
  certificates: TestCertificates,
  way: 'HSL' | 'batches',
  ledger: string,
): Promise<string[]> {
  const { bench, events, postgres } = stage;
  bench.progress(`${way} into ${ledger}`);
  const [place, where] = await placeOf(stage, ledger, way);
  const server = await certificates.server();
  const collector = await startAuditProcess(bench, {
    ledger: place,
    batches: { files: { ...server, clientCaFile: certificates.caFile }, port: 0 },
    log: null,
  });
  const serverMs = (): number => (place.kind === 'sqlite' || postgres === null ? 0 : treeCpuMs(postgres.pid));
  const send = way === 'HSL' ? await hslTo(collector.hsl) : await batchesTo(collector, certificates);
  const warm = Math.ceil(events / 10);
  await send.numbers(1, warm);
  await collector.storedAll(warm);
  const before = { cpu: collector.cpuMs(), server: serverMs(), at: performance.now() };
  const peak = watchMemory(collector);
  await send.numbers(warm + 1, events);
  await collector.storedAll(warm + events);
  const seconds = (performance.now() - before.at) / 1000;
  const [cpu, ofServer] = [collector.cpuMs() - before.cpu, serverMs() - before.server];
  const bytes = place.kind === 'sqlite' ? await bytesIn(where) : await bytesOf(stage, where);
  send.close();
  const row = [
    `${way} into ${ledger}`,
    events.toLocaleString('en'),
    Math.round(events / seconds).toLocaleString('en'),
    fixed((cpu * 1000) / events),
    place.kind === 'sqlite' ? '–' : fixed((ofServer * 1000) / events),
    fixed(bytes / (warm + events)),
    fixed(peak() / 2 ** 20),
  ];
  await collector.end();
  return row;
}

export function watchMemory(process: Pick<AuditProcess, 'memory'>): () => number {
  let greatest = 0;
  const look = (): void => {
    greatest = Math.max(greatest, process.memory());
  };
  const timer = setInterval(look, 100);
  return () => {
    clearInterval(timer);
    look();
    return greatest;
  };
}

interface Sending {
  /** So many from `first` on. What it took in bytes, where that is known. */
  numbers(first: number, count: number): Promise<number>;
  close(): void;
}

async function hslTo(port: number): Promise<Sending> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return {
    async numbers(first, count) {
      let bytes = 0;
      for (let next = first; next < first + count; next += CHUNK) {
        const chunk = hslChunk(next, Math.min(CHUNK, first + count - next));
        bytes += chunk.length;
        if (!socket.write(chunk)) await once(socket, 'drain');
      }
      return bytes;
    },
    close: () => void socket.destroy(),
  };
}

async function batchesTo(to: AuditProcess, certificates: TestCertificates): Promise<Sending> {
  const tls = await certificates.point('edge-1');
  const sender = createBatchSender({ url: to.batches ?? '', tls });
  const epoch = randomBytes(16).toString('hex');
  const waiting = { records: 0, unreadBytes: 0, shed: 0 };
  return {
    async numbers(first, count) {
      for (let next = first; next < first + count; next += CHUNK) {
        const records = wireRecords(next, Math.min(CHUNK, first + count - next));
        await acknowledged(sender, { epoch, waiting, records });
      }
      return Number.NaN;
    },
    close: sender.close,
  };
}

async function acknowledged(sender: ReturnType<typeof createBatchSender>, batch: DenyBatch): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const sent = await sender.send(batch);
    if (sent.state === 'acknowledged') return;
    if (sent.state !== 'later') throw sent.error;
    await sleep(sent.afterMs);
  }
  throw new Error('a batch was put off for ever');
}

async function rsyslogRow(stage: Stage): Promise<{ row: string[]; version: string } | string> {
  const found = await findRsyslog();
  if (typeof found === 'string') return found;
  stage.bench.progress('rsyslog');
  const rsyslog = await startRsyslog(stage.bench, found);
  const { events } = stage;
  const send = await hslTo(rsyslog.port);
  const warm = await send.numbers(1, Math.ceil(events / 10));
  await rsyslog.writtenAll(warm);
  const before = { cpu: rsyslog.cpuMs(), at: performance.now() };
  const bytes = await send.numbers(1, events);
  await rsyslog.writtenAll(warm + bytes);
  const seconds = (performance.now() - before.at) / 1000;
  send.close();
  const row = [
    'HSL into a file, by rsyslog',
    events.toLocaleString('en'),
    Math.round(events / seconds).toLocaleString('en'),
    fixed(((rsyslog.cpuMs() - before.cpu) * 1000) / events),
    '–',
    fixed(bytes / events),
    '–',
  ];
  return { row, version: rsyslog.version };
}

/** What a forwarder or an agent keeps before anybody has to answer. */
export async function burst({ bench, folder, events }: Stage): Promise<Table> {
  bench.progress('into the spool');
  const rows: string[][] = [];
  for (const perEntry of [1, 100, 1_000]) {
    const spool = await openDenySpool({
      folder: join(folder, `spool-${perEntry}`),
      maxBytes: 2 ** 33,
      gapRecord: (shed) => JSON.stringify(shed),
    });
    // Two thousand records alone would be gone before the engine has compiled what writes them.
    const count = Math.min(events, Math.max(40_000, perEntry * 2_000));
    const records = wireRecords(1, perEntry).map(({ record }) => record);
    const entry = { records, count: perEntry, fromMs: 0, toMs: 0 };
    const from = performance.now();
    const written: Promise<{ state: string }>[] = [];
    for (let n = 0; n < count; n += perEntry) {
      written.push(spool.append(entry));
      if (written.length % 16 === 0) await written.at(-1);
    }
    const kept = (await Promise.all(written)).filter(({ state }) => state === 'written').length * perEntry;
    const seconds = (performance.now() - from) / 1000;
    rows.push([
      perEntry.toLocaleString('en'),
      kept.toLocaleString('en'),
      Math.round(kept / seconds).toLocaleString('en'),
    ]);
    await spool.close();
  }
  return { head: ['into the spool: records an entry', 'kept on disk', 'a second'], rows };
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  return sum;
}

async function bytesOf({ postgres }: Stage, database: string): Promise<number> {
  const [row] = (await postgres?.server.sql('SELECT pg_database_size($1) AS bytes', [database])) ?? [];
  return Number(row?.bytes ?? Number.NaN);
}
