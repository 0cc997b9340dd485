import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Collector,
  createCollector,
  openSinks,
  type PointTold,
  type SyslogListener,
} from '@edgeward/audit-collector';
import type { SnapshotStatus } from '@edgeward/nginx-njs';
import type { Observed } from '@edgeward/policy-feed';
import {
  createMetrics,
  ensureSecret,
  type Lifecycle,
  type Logger,
  openHttpServer,
  openMetricsServer,
  type Registry,
  stateWriteError,
} from '@edgeward/runtime';
import type { BigipConfig, ServiceConfig } from './config.ts';
import { countDenials, type DenialCounts } from './denial-counts.ts';
import { followCounts } from './enforced-counts.ts';
import { eventLabels } from './event-labels.ts';
import { type Forwarders, openForwarders } from './forwarders.ts';
import { NO_HOSTS } from './host-metrics.ts';
import { type Hosts, openHosts } from './hosts/hosts.ts';
import { watchNewlyDenied } from './newly-denied.ts';
import { openPolicySource } from './open-policy-source.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import type { PolicySource } from './policy-source.ts';
import { openProofs } from './proof/proofs.ts';
import { forgetHybrid, isHybrid, serveHybrid } from './served-hybrid.ts';
import { type ServedPoint, serveBigip, serveHost, serveNginx, setDesired } from './served-point.ts';
import { isReload, serveReload } from './served-reload.ts';
import { serviceMetrics } from './service-metrics.ts';
import { snapshotMetrics } from './snapshot-metrics.ts';
import { type ServiceStatus, statusOf, statusRoutes } from './status-api.ts';
import { reportStatus } from './status-report.ts';
import { refusalOf } from './store/refusal.ts';
import { countUnwritten } from './unwritten-denials.ts';

/** The sync service: a directory of policy in, every point kept equal to it, denials out. Composition only. */
export interface Service {
  /** `http://127.0.0.1:9400` */
  url: string;
  status(): ServiceStatus;
  collector: Collector;
  /** Where forwarders send; null: nowhere. */
  forwardersUrl: string | null;
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
  const unwritten = countUnwritten();
  const proofs = await openProofs({ stateDir: config.stateDir, registry, logger });
  const newly = watchNewlyDenied({ registry, logger, now: Date.now });
  const source = await openPolicySource({
    config,
    logger,
    lifecycle,
    publish: (point, policy) => {
      const it = served.find(({ name }) => name === point);
      if (it === undefined) return;
      newly.remember(policy);
      proofs.remember(policy);
      setDesired(it, policy, source.policy);
    },
    observe: (point) => observed(point, served, denials),
  });
  let forwarders: Forwarders | null = null;
  const status = (): ServiceStatus =>
    reportStatus({ version: options.version, startedAtMs, source, served, collector, forwarders, proofs, sinks });
  const collector = await createCollector({
    ledger: config.ledger,
    logs: logsHere(config).map((point) => ({ point: point.name, file: point.denyLog })),
    listeners: config.bigips.flatMap(listenerOf),
    labels: eventLabels(source.policy),
    logger,
    registry,
    told: () => served.map((it) => toldOf(it, unwritten.totals(), forwarders)),
    retainDays: config.retainDays,
    retainRollupDays: config.retainRollupDays,
  });
  lifecycle.onClose('collector', () => collector.close());
  collector.onDenial(({ event }) => newly.look(event));
  const sinks = openSinks({
    config: config.sinks,
    source: collector,
    folder: join(config.stateDir, 'sinks'),
    registry,
    logger,
  });
  lifecycle.onClose('sinks', () => sinks.close());
  const denials = countDenials(collector, Date.now, (point) => deniedAtHost(point, served));
  const metrics = serviceMetrics(registry, {
    version: options.version,
    policy: () => source.policy.status(),
    points: () => served.map((it) => it.reconciler.status()),
    followers: () => source.followers(),
    hosts: () => hosts?.scraped() ?? NO_HOSTS,
    unwritten: unwritten.totals,
  });
  snapshotMetrics(registry, () =>
    served.flatMap(({ name, snapshot }): [string, SnapshotStatus][] => (snapshot ? [[name, snapshot()]] : [])),
  );
  const hosts = await openHostsOf(options, source, collector, registry);
  const serving = { policy: source.policy, metrics, logger };
  for (const point of config.points) {
    if (isReload(point)) {
      served.push(await serveReload(point, serving));
      continue;
    }
    if (!isHybrid(point)) await forgetHybrid(point.name, logger);
    const it = isHybrid(point) ? await serveHybrid(point, serving) : serveNginx(point, serving);
    served.push(it);
    proofs.add(point, it.point, () => it.reconciler.status().appliedHash);
  }
  for (const bigip of config.bigips) served.push(await serveBigip(bigip, serving));
  if (hosts !== null) for (const { name } of config.hosts?.points ?? []) served.push(serveHost(name, hosts, serving));
  for (const it of served) lifecycle.onClose(`point ${it.name}`, () => it.close());
  // Before the points, which proofs go through.
  lifecycle.onClose('proofs', () => proofs.close());
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
  await openMetrics(options, registry, source.policy);
  await lookFirst(served, source.policy);
  lifecycle.onClose('policy source', () => source.close());
  await source.start();
  // Not before the first policy: what was denied meanwhile would be stored for ever without a name for either end.
  await collector.start();
  forwarders = await openForwarders({
    config: config.forwarders,
    collector,
    policy: source.policy,
    registry,
    logger,
    lifecycle,
  });
  proofs.start();
  lifecycle.onClose('counters', followCounts(served, collector, unwritten, denials, logger));
  logger.info(
    {
      event: 'service_started',
      api: server.url,
      points: served.length,
      revision: source.policy.status().revision,
      ...(hosts === null ? {} : { hosts: hosts.url, enrolment: hosts.enrolUrl }),
      ...(forwarders.url === null ? {} : { forwarders: forwarders.url }),
    },
    'started',
  );
  return {
    url: server.url,
    status,
    collector,
    forwardersUrl: forwarders.url,
    hosts: hosts === null ? null : { url: hosts.url, enrolUrl: hosts.enrolUrl },
  };
}

async function openMetrics(
  { config, logger, lifecycle }: ServiceOptions,
  registry: Registry,
  policy: PolicyInForce,
): Promise<void> {
  if (config.metrics === null) return;
  const notReady = (): string | null => (policy.status().state === 'none' ? 'no policy was published yet' : null);
  const server = await openMetricsServer({ at: config.metrics, registry, notReady, logger });
  lifecycle.onClose('metrics', () => server.close());
}

async function openHostsOf(
  { config, logger, lifecycle }: ServiceOptions,
  { policy, evidence }: PolicySource,
  collector: Collector,
  registry: Registry,
): Promise<Hosts | null> {
  if (config.hosts === null) return null;
  const ready = (): boolean => policy.status().state !== 'none';
  const { hosts, stateDir } = config;
  return openHosts({ config: hosts, stateDir, collector, evidence, ready, registry, logger, lifecycle });
}

/** What a point says of its denials beside what it sends of them. */
function toldOf(
  { name, host }: ServedPoint,
  unwritten: ReadonlyMap<string, number>,
  forwarders: Forwarders | null,
): PointTold {
  const denials = host?.().report?.denials;
  return {
    point: name,
    counted: denials?.denied ?? null,
    unwritten: unwritten.get(name) ?? 0,
    readUpToMs: forwarders?.readUpToMs(name) ?? null,
    // What it has counted and not named yet is in no spool.
    isWaiting:
      forwarders?.isWaiting(name) ??
      (denials !== undefined && (denials.pending > 0 || denials.denied > denials.sampled + denials.notSampled)),
  };
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

/** Those of the other machines are followed there. */
function logsHere({ points, forwarders }: ServiceConfig): ServiceConfig['points'] {
  return points.filter(({ name }) => forwarders?.points.includes(name) !== true);
}

function listenerOf({ name, denials }: BigipConfig): SyslogListener[] {
  if (denials === null) return [];
  const { host, port, from, tls } = denials;
  return [{ point: name, listen: { host, port }, from, ...(tls === null ? {} : { tls }) }];
}

async function makeFolders(config: ServiceConfig): Promise<void> {
  const folders = [
    config.stateDir,
    ...config.points.map((point) => dirname(point.lastKnownFile)),
    ...logsHere(config).map((point) => dirname(point.denyLog)),
  ];
  for (const folder of folders) {
    await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
      throw stateWriteError(folder, cause);
    });
  }
}
