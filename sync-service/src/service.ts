import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Collector, createCollector, type SyslogListener } from '@edgeward/audit-collector';
import type { Observed } from '@edgeward/policy-feed';
import {
  createMetrics,
  ensureSecret,
  type Lifecycle,
  type Logger,
  openHttpServer,
  type Registry,
  stateWriteError,
} from '@edgeward/runtime';
import type { BigipConfig, ServiceConfig } from './config.ts';
import { countDenials, type DenialCounts } from './denial-counts.ts';
import { followCounts } from './enforced-counts.ts';
import { eventLabels } from './event-labels.ts';
import { NO_HOSTS } from './host-metrics.ts';
import { type Hosts, openHosts } from './hosts/hosts.ts';
import { openPolicySource } from './open-policy-source.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import { type ServedPoint, serveBigip, serveHost, serveNginx, setDesired } from './served-point.ts';
import { serviceMetrics } from './service-metrics.ts';
import { type ServiceStatus, statusOf, statusRoutes } from './status-api.ts';
import { reportStatus } from './status-report.ts';
import { refusalOf } from './store/refusal.ts';

/** The sync service: a directory of policy in, every point kept equal to it, denials out. Composition only. */
export interface Service {
  /** `http://127.0.0.1:9400` */
  url: string;
  status(): ServiceStatus;
  collector: Collector;
  /** Where hosts call, and where they enrol; null: nowhere. */
  hosts: { url: string; enrolUrl: string | null } | null;
}

export interface ServiceOptions {
  config: ServiceConfig;
  version: string;
  logger: Logger;
  /** Closes what is opened here, last first. */
  lifecycle: Lifecycle;
}

/** Points say what they hold before the first revision is numbered; one that does not answer by then is asked later. */
const FIRST_LOOK_MS = 2000;

export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger, lifecycle } = options;
  const startedAtMs = Date.now();
  await makeFolders(config);
  const token = await ensureSecret(config.api.tokenFile);
  const registry = createMetrics();
  const served: ServedPoint[] = [];
  const source = await openPolicySource({
    config,
    logger,
    lifecycle,
    publish: (point, policy) => {
      const it = served.find(({ name }) => name === point);
      if (it !== undefined) setDesired(it, policy, source.policy);
    },
    observe: (point) => observed(point, served, denials),
  });
  const status = (): ServiceStatus =>
    reportStatus({ version: options.version, startedAtMs, source, served, collector });
  const collector = createCollector({
    ledgerFile: join(config.stateDir, 'ledger.db'),
    logs: config.points.map((point) => ({ point: point.name, file: point.denyLog })),
    listeners: config.bigips.flatMap(listenerOf),
    labels: eventLabels(source.policy),
    logger,
    registry,
    retainDays: config.retainDays,
  });
  lifecycle.onClose('collector', () => collector.close());
  const denials = countDenials(collector, Date.now, (point) => deniedAtHost(point, served));
  const metrics = serviceMetrics(
    registry,
    options.version,
    () => source.policy.status(),
    () => served.map((it) => it.reconciler.status()),
    () => source.followers(),
    () => hosts?.scraped() ?? NO_HOSTS,
  );
  const hosts = await openHostsOf(options, source.policy, collector, registry);
  const serving = { policy: source.policy, metrics, logger };
  for (const point of config.points) served.push(serveNginx(point, serving));
  for (const bigip of config.bigips) served.push(await serveBigip(bigip, serving));
  if (hosts !== null) for (const { name } of config.hosts?.points ?? []) served.push(serveHost(name, hosts, serving));
  for (const it of served) lifecycle.onClose(`point ${it.name}`, () => it.close());
  // Before the points: each of them may be waiting for a word of its host.
  lifecycle.onClose('reports of hosts', () => hosts?.reports.close());
  const server = await openHttpServer({
    host: config.api.host,
    port: config.api.port,
    logger,
    routes: statusRoutes({ token, registry, policy: source.policy, collector, status }),
    statusOf,
  });
  lifecycle.onClose('status API', () => server.close());
  await lookFirst(served, source.policy);
  lifecycle.onClose('policy source', () => source.close());
  await source.start();
  // Not before the first policy: what was denied meanwhile would be stored for ever without a name for either end.
  await collector.start();
  lifecycle.onClose('counters', followCounts(served, collector, metrics, denials, logger));
  logger.info(
    {
      event: 'service_started',
      api: server.url,
      points: served.length,
      revision: source.policy.status().revision,
      ...(hosts === null ? {} : { hosts: hosts.url, enrolment: hosts.enrolUrl }),
    },
    'started',
  );
  return {
    url: server.url,
    status,
    collector,
    hosts: hosts === null ? null : { url: hosts.url, enrolUrl: hosts.enrolUrl },
  };
}

async function openHostsOf(
  { config, logger, lifecycle }: ServiceOptions,
  policy: PolicyInForce,
  collector: Collector,
  registry: Registry,
): Promise<Hosts | null> {
  if (config.hosts === null) return null;
  const ready = (): boolean => policy.status().state !== 'none';
  return openHosts({ config: config.hosts, stateDir: config.stateDir, collector, ready, registry, logger, lifecycle });
}

function deniedAtHost(point: string, served: readonly ServedPoint[]): number | null {
  return served.find(({ name }) => name === point)?.host?.().report?.denials.denied ?? null;
}

/** Past the reconcilers, which ask nothing before a policy is desired. */
async function lookFirst(served: ServedPoint[], policy: PolicyInForce): Promise<void> {
  const found = new Map<string, number>();
  const looks = served.map(async ({ name, point }) => {
    const actual = await point.inspect();
    if (actual.state === 'loaded') found.set(name, actual.revision);
  });
  const late = new Promise((resolve) => setTimeout(resolve, FIRST_LOOK_MS).unref());
  // One that does not answer is said to be away by its reconciler.
  await Promise.race([Promise.allSettled(looks), late]);
  for (const [name, revision] of found) await policy.foundRevision(name, revision);
}

/** What the store is told of a point. */
function observed(point: string, served: readonly ServedPoint[], counts: DenialCounts): Observed {
  const it = served.find(({ name }) => name === point);
  const denials = counts.of(point);
  if (it === undefined) return { applied: null, state: 'no-policy', nack: null, denials };
  const status = it.reconciler.status();
  return { applied: status.appliedRevision, state: status.state, nack: refusalOf(status), denials };
}

function listenerOf({ name, denials }: BigipConfig): SyslogListener[] {
  if (denials === null) return [];
  const { host, port, from, tls } = denials;
  return [{ point: name, listen: { host, port }, from, ...(tls === null ? {} : { tls }) }];
}

async function makeFolders(config: ServiceConfig): Promise<void> {
  const folders = [
    config.stateDir,
    ...config.points.flatMap((point) => [dirname(point.lastKnownFile), dirname(point.denyLog)]),
  ];
  for (const folder of folders) {
    await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
      throw stateWriteError(folder, cause);
    });
  }
}
