/** What the tests of this folder share: a collector with a real ledger, a forwarder beside a log, and what came of it. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BatchListener, type Collector, createCollector, openBatchListener } from '@edgeward/audit-collector';
import { identityOf } from '@edgeward/certificates';
import { createLifecycle, createLogger, createMetrics, type Registry, systemClock } from '@edgeward/runtime';
import { type CertificateFiles, freePort, testCertificates } from '@edgeward/test/kit';
import type { Test } from 'tap';
import { denyLine, denyLines } from '../../deny-log/test/lines.ts';
import { type Forwarder, type ForwarderConfig, type ForwarderOptions, startForwarder } from '../src/index.ts';

export const logger = createLogger({ level: 'silent' });
export const labels = {
  source: () => ({ workloads: [], networks: [], labels: {}, revision: null }),
  object: (_point: string, bind: string) => ({ name: bind, labels: {} }),
  nearest: () => ({ nearestRule: null, missed: null }),
};

type Intake = Pick<Collector, 'takeBatch'>;

export interface Scene {
  folder: string;
  log: string;
  collector: Collector;
  /** Of the collector. */
  registry: Registry;
  /** Writes lines FROM … TO-1 at the end of the log; with `apart` no two are equal. */
  write(from: number, to: number, apart?: boolean): void;
  /** Where batches arrive, from now on; `through` stands before the ledger. */
  listen(through?: (intake: Intake) => Intake): Promise<BatchListener>;
  start(options?: Partial<ForwarderOptions>, config?: Partial<ForwarderConfig>): Promise<Running>;
  /** References in the ledger, sorted by their number. */
  refs(): Promise<string[]>;
  url: string;
  tls: CertificateFiles;
}

export interface Running extends Forwarder {
  stop(): Promise<void>;
}

export async function sceneOf(t: Test): Promise<Scene> {
  const folder = t.testdir({ log: {} });
  const log = join(folder, 'log', 'deny.log');
  const certificates = await testCertificates(join(folder, 'certificates'));
  const [server, tls] = [await certificates.server(), await certificates.point('edge-1')];
  const registry = createMetrics({ processMetrics: false });
  const ledger = { kind: 'sqlite' as const, file: join(folder, 'ledger.db') };
  const collector = await createCollector({ ledger, logs: [], labels, logger, registry, ledgerThreads: false });
  t.teardown(() => collector.close());
  const port = await freePort();

  const listen: Scene['listen'] = async (through = (intake) => intake) => {
    const listener = await openBatchListener({
      ...{ listen: { host: '127.0.0.1', port }, senders: new Map([['edge-1', ['edge-1']]]) },
      files: { ...server, clientCaFile: certificates.caFile },
      nameOf: (peer) => identityOf(peer).points[0] ?? null,
      ...{ intake: through(collector), recordsPerSecond: 1_000_000 },
      ...{ registry: createMetrics({ processMetrics: false }), clock: systemClock, logger },
    });
    t.teardown(() => listener.close());
    return listener;
  };

  const start: Scene['start'] = async (options = {}, config = {}) => {
    const lifecycle = createLifecycle(logger);
    const stop = async (): Promise<void> => {
      await lifecycle.shutdown('the test is over');
      lifecycle.release();
    };
    t.teardown(stop);
    const forwarder = await startForwarder({
      config: {
        ...{ denyLog: log, spoolDir: join(folder, 'spool'), logLevel: 'info' },
        ...{ maxSpoolBytes: 64 * 1024 * 1024, maxUnreadBytes: 64 * 1024 * 1024 },
        collector: { url: `https://127.0.0.1:${port}`, tls },
        metrics: { host: '127.0.0.1', port: 0, tls: null },
        ...config,
      },
      ...{ version: '0', logger, lifecycle, reserveBytes: 0, pollIntervalMs: 20, lingerMs: 50 },
      ...options,
    });
    return { ...forwarder, stop };
  };

  return {
    ...{ folder, log, collector, registry, listen, start, tls, url: `https://127.0.0.1:${port}` },
    write: (from, to, apart = false) => appendFileSync(log, apart ? linesApart(from, to) : denyLines(from, to)),
    refs: () => refsIn(collector),
  };
}

function linesApart(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => denyLine({ ref: `ref-${from + i}`, path: `/${from + i}` })).join(
    '',
  );
}

export async function refsIn(collector: Collector): Promise<string[]> {
  const found: string[] = [];
  for (let afterId = 0; ; ) {
    const page = await collector.denials({ afterId, limit: 10_000 });
    const last = page.at(-1);
    if (last === undefined) return found.sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)));
    found.push(...page.map(({ event }) => event.ref ?? 'none'));
    afterId = last.id;
  }
}

/** Bounded: says what it waited for when it gives up. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 3_000; turn += 1) {
    if (await holds()) return;
    await sleep(10);
  }
  throw new Error(`gave up waiting until ${what}`);
}
