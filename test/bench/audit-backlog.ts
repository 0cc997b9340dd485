/** Denials that waited in a log while no collector ran: what reading them takes, and whether memory grows with them. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ForwarderConfig } from '@edgeward/deny-forwarder';
import { testCertificates } from '../kit/certificates.ts';
import { freePort } from '../kit/free-port.ts';
import { logChunk } from './audit-events.ts';
import { type Stage, watchMemory } from './audit-ingest.ts';
import { startAuditProcess } from './audit-process.ts';
import type { Bench, Table } from './benchmark.ts';
import { cpuOf, memoryOf } from './host-tools.ts';
import { fixed } from './statistics.ts';

const CHUNK = 10_000;

export async function backlog({ bench, folder }: Stage, most: number): Promise<Table> {
  const rows: string[][] = [];
  for (const lines of [most / 100, most / 10, most].map(Math.ceil)) {
    bench.progress(`${lines} lines that waited`);
    const place = join(folder, `backlog-${lines}`);
    const log = await logOf(place, lines);
    const from = performance.now();
    const ledger = { kind: 'sqlite' as const, file: join(place, 'ledger.db') };
    const collector = await startAuditProcess(bench, { ledger, batches: null, log });
    const peak = watchMemory(collector);
    await collector.storedAll(lines);
    const seconds = (performance.now() - from) / 1000;
    rows.push([
      lines.toLocaleString('en'),
      Math.round(lines / seconds).toLocaleString('en'),
      fixed((collector.cpuMs() * 1000) / lines),
      fixed(peak() / 2 ** 20),
    ]);
    await collector.end();
  }
  return { head: ['lines that waited in a log', 'stored a second', 'CPU µs a line', 'greatest memory, MB'], rows };
}

async function logOf(place: string, lines: number): Promise<string> {
  const log = join(place, 'deny.log');
  await mkdir(place);
  await writeFile(log, '');
  for (let first = 1; first <= lines; first += CHUNK)
    await appendFile(log, logChunk(first, Math.min(CHUNK, lines - first + 1)));
  return log;
}

const FORWARDER = fileURLToPath(new URL('audit-forwarder-child.ts', import.meta.url));
/** As the unit has them. */
const UNIT = ['--max-old-space-size=128', '--max-semi-space-size=2'];
const PATIENCE_S = 600;

/** The same at a forwarder whose collector is away, and then comes back. */
export async function spoolBacklog({ bench, folder }: Stage, most: number): Promise<Table> {
  const rows: string[][] = [];
  for (const lines of [most / 100, most / 10, most].map(Math.ceil)) {
    bench.progress(`${lines} records in a spool`);
    const place = join(folder, `spool-of-${lines}`);
    const denyLog = await logOf(place, lines);
    const certificates = await testCertificates(join(place, 'certificates'));
    const [server, tls, port] = [await certificates.server(), await certificates.point('edge-1'), await freePort()];
    const from = performance.now();
    const forwarder = await startForwarder(bench, {
      ...{
        denyLog,
        spoolDir: join(place, 'spool'),
        maxSpoolBytes: 2 ** 33,
        maxUnreadBytes: 2 ** 33,
        logLevel: 'error',
      },
      collector: { url: `https://127.0.0.1:${port}`, tls },
      metrics: { host: '127.0.0.1', port: 0, tls: null },
    });
    await forwarder.holds(lines);
    const readSeconds = (performance.now() - from) / 1000;
    const batches = { files: { ...server, clientCaFile: certificates.caFile }, port };
    const ledger = { kind: 'sqlite' as const, file: join(place, 'ledger.db') };
    const collector = await startAuditProcess(bench, { ledger, batches, log: null });
    const sentFrom = performance.now();
    const peak = watchMemory(collector);
    await collector.storedAll(lines);
    const sentSeconds = (performance.now() - sentFrom) / 1000;
    rows.push([
      lines.toLocaleString('en'),
      Math.round(lines / readSeconds).toLocaleString('en'),
      Math.round(lines / sentSeconds).toLocaleString('en'),
      fixed((forwarder.cpuMs() * 1000) / lines),
      fixed(forwarder.peakBytes() / 2 ** 20),
      fixed(peak() / 2 ** 20),
    ]);
    await Promise.all([collector.end(), forwarder.end()]);
  }
  const head = [
    'records in a forwarder’s spool',
    'kept a second',
    'then stored a second',
    'forwarder’s CPU µs a record',
  ];
  return { head: [...head, 'forwarder’s greatest memory, MB', 'collector’s, MB'], rows };
}

interface ForwarderProcess {
  /** Until so many records are in its spool. */
  holds(records: number): Promise<void>;
  cpuMs(): number;
  peakBytes(): number;
  end(): Promise<void>;
}

async function startForwarder(bench: Bench, config: ForwarderConfig): Promise<ForwarderProcess> {
  const execArgv = ['--conditions=edgeward-source', '--no-warnings', ...UNIT];
  const child = fork(FORWARDER, [JSON.stringify(config)], { execArgv });
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'exit');
    child.kill('SIGKILL');
    await closed;
  };
  bench.teardown(end);
  const [url] = (await once(child, 'message')) as [string];
  const pid = child.pid ?? 0;
  return {
    end,
    cpuMs: () => cpuOf(pid).own,
    peakBytes: () => memoryOf(pid).peak,
    async holds(records) {
      for (let looks = 0; looks < PATIENCE_S * 10; looks += 1) {
        const text = await (await fetch(`${url}/metrics`)).text();
        if (Number(/^edgeward_forwarder_spool_records (\d+)$/m.exec(text)?.[1]) === records) return;
        await sleep(100);
      }
      throw new Error(`${records} records did not come into the spool`);
    },
  };
}
