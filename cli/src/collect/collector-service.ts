/**
 * The collector on its own: batches of services and forwarders in, the ledger, its API, and sinks. It knows no policy, so it
 * stores labels as they come and gives none. Composition only.
 */
import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import {
  type BatchListener,
  createCollector,
  denialRoutes,
  denialStatuses,
  type Labels,
  openBatchListener,
  openSinks,
} from '@edgeward/audit-collector';
import { identityOf } from '@edgeward/certificates';
import {
  createMetrics,
  ensureSecret,
  type Lifecycle,
  type Logger,
  makeFolder,
  openHttpServer,
  openMetricsServer,
  scrapedGauge,
  systemClock,
  takeStateLock,
  watchRoutes,
} from '@edgeward/runtime';
import type { CollectorConfig } from './collector-config.ts';
import { type CollectorStatus, statusRoute } from './collector-status.ts';

export interface CollectorService {
  /** Where services and forwarders send. */
  url: string;
  /** Of denials, health and metrics. */
  apiUrl: string;
}

export interface CollectorServiceOptions {
  config: CollectorConfig;
  version: string;
  logger: Logger;
  /** Closes what is opened here, last first. */
  lifecycle: Lifecycle;
}

export async function startCollector(options: CollectorServiceOptions): Promise<CollectorService> {
  const { config, version, logger, lifecycle } = options;
  const startedAtMs = Date.now();
  await makeFolder(config.stateDir);
  const release = await takeStateLock(config.stateDir);
  lifecycle.onClose('state lock', release);
  const token = await ensureSecret(config.api.tokenFile);
  const registry = createMetrics();
  scrapedGauge(registry, BUILD_INFO, (gauge) => gauge.set({ version }, 1));
  const { retainDays, retainRollupDays } = config;
  const kept = { ledger: config.ledger, retainDays, retainRollupDays };
  const collector = await createCollector({ ...kept, logs: [], ...NO_POLICY, logger, registry });
  lifecycle.onClose('collector', () => collector.close());
  const folder = join(config.stateDir, 'sinks');
  const sinks = openSinks({ config: config.sinks, source: collector, folder, registry, logger });
  lifecycle.onClose('sinks', () => sinks.close());
  let listener: BatchListener | null = null;
  const status = (): CollectorStatus => ({
    ...{ version, startedAtMs, nowMs: Date.now(), ledgerError: collector.ledgerError() },
    ...{ senders: listener?.senders() ?? [], sinks: sinks.status() },
  });
  const notReady = (): string | null => {
    const error = collector.ledgerError();
    if (error !== null) return error.message;
    if (collector.epoch === '') return 'the ledger was not reached yet';
    return listener === null ? 'nobody can send yet' : null;
  };
  const { host, port } = config.api;
  const api = await openHttpServer({
    ...{ host, port, logger },
    routes: [
      ...watchRoutes({ registry, notReady }),
      statusRoute(token, status),
      ...denialRoutes({ ledger: collector, token }),
    ],
    statusOf: ({ code }) => denialStatuses[code] ?? 500,
  });
  lifecycle.onClose('API', () => api.close());
  if (config.metrics !== null) {
    const metrics = await openMetricsServer({ at: config.metrics, registry, notReady, logger });
    lifecycle.onClose('metrics', () => metrics.close());
  }
  await collector.start();
  listener = await openBatchListener({
    ...{ listen: config.listen, files: config.tls, senders: config.senders, nameOf, intake: collector },
    mayLabel: true,
    ...{ recordsPerSecond: config.recordsPerSecond, registry, clock: systemClock, logger },
  });
  lifecycle.onClose('listener', listener.close);
  logger.info({ event: 'collector_started', listen: listener.url, api: api.url }, 'started');
  return { url: listener.url, apiUrl: api.url };
}

const BUILD_INFO = {
  name: 'edgeward_build_info',
  help: 'Constant 1; the version is a label.',
  labelNames: ['version'],
};

/** Of a forwarder that sends here: nobody knows who its sources are, nor which objects there are. */
const NO_LABELS: Labels = {
  source: () => ({ workloads: [], networks: [], labels: {}, revision: null }),
  object: () => null,
  nearest: () => ({ nearestRule: null, missed: null }),
};
/** More than a fleet has; a bound all the same, because totals are kept for ever. */
const NO_POLICY = { labels: NO_LABELS, mostUnknownObjects: 10_000 };

/** A person sends nothing, and a certificate for several points names no sender. */
function nameOf(peer: X509Certificate): string | null {
  const { points, person } = identityOf(peer);
  return person === null && points.length === 1 ? (points[0] ?? null) : null;
}
