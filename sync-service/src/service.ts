import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Collector,
  createCollector,
  type ListenerStatus,
  type LogStatus,
  type SyslogListener,
} from '@edgeward/audit-collector';
import type { Hazard, HazardCode } from '@edgeward/f5-irules';
import type { VerdictCounts } from '@edgeward/nginx-njs';
import type { Mode } from '@edgeward/policy';
import { openPolicyCache } from '@edgeward/policy-cache';
import {
  createMetrics,
  EdgewardError,
  ensureSecret,
  type Lifecycle,
  type Logger,
  messageOf,
  openHttpServer,
  stateWriteError,
  systemClock,
} from '@edgeward/runtime';
import type { BigipConfig, ServiceConfig } from './config.ts';
import { createDirectorySource } from './directory-source.ts';
import { eventLabels } from './event-labels.ts';
import { headlineOf } from './headline.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import { cacheFolder } from './published-policy.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import { type ServedPoint, serveBigip, serveNginx, setDesired } from './served-point.ts';
import { type ServiceMetrics, serviceMetrics } from './service-metrics.ts';
import { type PointReport, type ServiceStatus, statusOf, statusRoutes } from './status-api.ts';

/** The sync service: a directory of policy in, every point kept equal to it, denials out. Composition only. */
export interface Service {
  /** `http://127.0.0.1:9400` */
  url: string;
  status(): ServiceStatus;
  collector: Collector;
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
const COUNTS_INTERVAL_MS = 2000;

export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, logger, lifecycle } = options;
  const startedAtMs = Date.now();
  await makeFolders(config);
  const token = await ensureSecret(config.api.tokenFile);
  const cache = await openPolicyCache({ dir: cacheFolder(config), logger });
  lifecycle.onClose('policy cache', () => cache.close());
  const registry = createMetrics();
  const served: ServedPoint[] = [];
  const publisher = createPublisher({
    points: [...config.points, ...config.bigips].map((point) => point.name),
    cache,
    clock: systemClock,
    logger,
    publish: (policies) => {
      for (const policy of policies.values()) cache.remember(policy);
      for (const it of served) {
        const desired = policies.get(it.name);
        if (desired !== undefined) setDesired(it, desired, publisher);
      }
    },
  });
  lifecycle.onClose('publisher', () => publisher.close());
  const status = (): ServiceStatus => report(options, startedAtMs, publisher, served, collector);
  const collector = createCollector({
    ledgerFile: join(config.stateDir, 'ledger.db'),
    logs: config.points.map((point) => ({ point: point.name, file: point.denyLog })),
    listeners: config.bigips.flatMap(listenerOf),
    labels: eventLabels(publisher),
    logger,
    registry,
    retainDays: config.retainDays,
  });
  lifecycle.onClose('collector', () => collector.close());
  const metrics = serviceMetrics(
    registry,
    options.version,
    () => publisher.status(),
    () => served.map((it) => it.reconciler.status()),
  );
  const serving = { policy: publisher, metrics, logger };
  for (const point of config.points) served.push(serveNginx(point, serving));
  for (const bigip of config.bigips) served.push(await serveBigip(bigip, serving));
  for (const it of served) lifecycle.onClose(`point ${it.name}`, () => it.close());
  const server = await openHttpServer({
    host: config.api.host,
    port: config.api.port,
    logger,
    routes: statusRoutes({ token, registry, policy: publisher, collector, status }),
    statusOf,
  });
  lifecycle.onClose('status API', () => server.close());
  await lookFirst(served, publisher);
  await restore(publisher, cache);
  const source = createDirectorySource(config.policies, publisher, logger);
  lifecycle.onClose('policy source', () => source.close());
  await source.start();
  // Not before the first policy: what was denied meanwhile would be stored for ever without a name for either end.
  await collector.start();
  lifecycle.onClose('counters', followCounts(served, collector, metrics, logger));
  logger.info(
    { event: 'service_started', api: server.url, points: served.length, revision: publisher.status().revision },
    'started',
  );
  return { url: server.url, status, collector };
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

async function restore(publisher: Publisher, cache: Awaited<ReturnType<typeof openPolicyCache>>): Promise<void> {
  const loaded = await cache.loadSnapshot();
  if (loaded.state === 'loaded') await publisher.restore(loaded.snapshot);
}

/** Hands NGINX's own exact totals to the collector, so that what was enforced and what is in the ledger can be compared. */
function followCounts(
  served: ServedPoint[],
  collector: Collector,
  metrics: ServiceMetrics,
  logger: Logger,
): () => void {
  const ask = async (it: ServedPoint): Promise<void> => {
    if (it.counts === null) return;
    const { epoch, counts } = await it.counts();
    const denied = counts.filter((count) => count.verdict === 'deny' || count.verdict === 'would-deny');
    collector.setEnforcedCounts(it.name, summed(denied), epoch);
    metrics.lostAtPoint(
      it.name,
      counts.filter((count) => count.verdict === 'lost').reduce((sum, count) => sum + count.total, 0),
    );
  };
  const timer = setInterval(() => {
    for (const it of served) {
      // The reconciler says that a point is away; here it only means that there is nothing to compare yet.
      ask(it).catch((cause: unknown) =>
        logger.debug({ event: 'counts_unavailable', point: it.name, cause: messageOf(cause) }, 'no counters'),
      );
    }
  }, COUNTS_INTERVAL_MS).unref();
  return () => clearInterval(timer);
}

/** By bind, which NGINX counts by: a name may change while its total goes on. */
function summed(counts: VerdictCounts['counts']): { object: string; reason: string; count: number }[] {
  const sums = new Map<string, { object: string; reason: string; count: number }>();
  for (const { bind, reason, total } of counts) {
    const key = `${bind}\t${reason}`;
    const sum = sums.get(key) ?? { object: bind, reason, count: 0 };
    sum.count += total;
    sums.set(key, sum);
  }
  return [...sums.values()];
}

function report(
  options: ServiceOptions,
  startedAtMs: number,
  publisher: Publisher,
  served: ServedPoint[],
  collector: Collector,
): ServiceStatus {
  const { warnings, stateWriteFailures: _, ...policy } = publisher.status();
  const { logs, listeners, ledgerError } = intakesOf(collector);
  const objects = publisher.objects();
  const points = served.map((it): PointReport => {
    const modes: Record<Mode, number> = { enforce: 0, observe: 0, off: 0 };
    const own = objects.filter((object) => object.point === it.name);
    const hazards = it.hazards();
    const unprotected = own.filter((object) => object.mode !== 'off' && isUnprotected(object, hazards));
    for (const object of own) if (!unprotected.includes(object)) modes[object.mode] += 1;
    const [log, listener] = [logs.get(it.name), listeners.get(it.name)];
    return {
      ...it.reconciler.status(),
      kind: it.kind,
      objects: modes,
      denials: { stored: (log ?? listener)?.stored ?? 0, counted: log?.enforced ?? listener?.observed ?? 0 },
      logError: log?.error ?? listener?.error ?? ledgerError,
      hazards,
      unprotected: unprotected.map(({ name }) => name),
    };
  });
  return {
    version: options.version,
    startedAtMs,
    nowMs: Date.now(),
    headline: headlineOf(policy, points),
    policy: { ...policy, directory: options.config.policies, warnings: warnings.length },
    points,
  };
}

/** What the policy says of these objects is judged by nobody, or only in part. */
const UNPROTECTED: readonly HazardCode[] = [
  'virtual-missing',
  'not-attached',
  'requests-not-judged',
  'connections-not-judged',
  'rule-ends-events',
  'rule-ends-http',
];

function isUnprotected({ name, bind }: { name: string; bind: string }, hazards: readonly Hazard[]): boolean {
  return hazards.some(({ object, code }) => {
    // What names no virtual server is told by the name of its document.
    if (code === 'bind-unusable') return object === name;
    return object === bind && UNPROTECTED.includes(code);
  });
}

interface Intakes {
  logs: Map<string, LogStatus>;
  listeners: Map<string, ListenerStatus>;
  ledgerError: PointReport['logError'];
}

/** A ledger that can't be read must not take the rest of the status away: then most of all somebody asks for it. */
function intakesOf(collector: Collector): Intakes {
  try {
    return {
      logs: new Map(collector.status().map((log) => [log.point, log])),
      listeners: new Map(collector.listeners().map((listener) => [listener.point, listener])),
      ledgerError: null,
    };
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError)) throw thrown;
    const { code, message, mend } = thrown;
    return { logs: new Map(), listeners: new Map(), ledgerError: { code, message, mend } };
  }
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
