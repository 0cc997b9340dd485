import {
  createReconciler,
  type EnforcementPoint,
  type PointStatus,
  type Reconciler,
} from '@edgeward/enforcement-point';
import { type BigipPoint, createBigipPoint, type Hazard } from '@edgeward/f5-irules';
import { createNginxPoint, type NginxPoint, type SnapshotStatus, type VerdictCounts } from '@edgeward/nginx-njs';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { bigipAccess } from './bigip-access.ts';
import type { BigipConfig, PointConfig } from './config.ts';
import type { HostStatus } from './hosts/host-status.ts';
import type { Hosts } from './hosts/hosts.ts';
import { createRemotePoint } from './hosts/remote-point.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import type { ServiceMetrics } from './service-metrics.ts';

/** One point, whatever kind it is, and what keeps it. */
export interface ServedPoint {
  name: string;
  kind: 'nginx' | 'bigip' | 'host';
  point: EnforcementPoint;
  reconciler: Reconciler;
  /** Totals that the point itself keeps; null where it keeps none. */
  counts: (() => Promise<VerdictCounts>) | null;
  /** What stood in the way of enforcement when this was last looked at. */
  hazards(): PointHazard[];
  /** What a host said of itself; null for every other kind. */
  host: (() => HostStatus) | null;
  /** Told of every policy that is desired: a host may come for it before it has said a word, and a reload take it along. */
  layOut: ((policy: CompiledPolicy) => void) | null;
  /** Of an NGINX in mode hybrid. */
  snapshot?: () => SnapshotStatus;
  /** Settles what is under way. */
  close(): Promise<void>;
}

/** `code` is one of its kind of point. */
export type PointHazard = Omit<Hazard, 'code'> & { code: string };

export interface Serving {
  policy: PolicyInForce;
  metrics: ServiceMetrics;
  logger: Logger;
}

/** `point`: that of another mode, which keeps its policy in the same zones. */
export function serveNginx(
  config: PointConfig,
  serving: Serving,
  point: NginxPoint = livePoint(config, serving),
): ServedPoint & { point: NginxPoint } {
  const { name, onDrift } = config;
  const { logger } = serving;
  const reconciler = createReconciler({ point, logger, onDrift, onChange: applications(name, serving) });
  return {
    name,
    kind: 'nginx',
    point,
    reconciler,
    counts: () => point.counts(),
    hazards: () => [],
    host: null,
    layOut: null,
    close: () => reconciler.close(),
  };
}

function livePoint(config: PointConfig, { logger }: Serving): NginxPoint {
  const { name, push, streamPush, tls, tokenFile, lastKnownFile } = config;
  return createNginxPoint({ name, push, streamPush, tls, tokenFile, lastKnownFile, logger });
}

export async function serveBigip(config: BigipConfig, serving: Serving): Promise<ServedPoint> {
  const { name, syncOthersChanges, onDrift } = config;
  const { logger } = serving;
  const point = createBigipPoint({ name, ...(await bigipAccess(config)), syncOthersChanges, logger });
  const driftCheckIntervalMs = config.driftCheckSeconds * 1000;
  const watch = watchHazards(point, driftCheckIntervalMs, logger);
  const counted = applications(name, serving);
  const reconciler = createReconciler({
    point,
    logger,
    onDrift,
    driftCheckIntervalMs,
    // A management plane is asked seldom: iControl REST has other clients, and few threads.
    probeIntervalMs: Math.min(10_000, driftCheckIntervalMs),
    onChange: (status) => {
      counted(status);
      watch.policyIs(status.appliedRevision);
    },
  });
  return {
    name,
    kind: 'bigip',
    point,
    reconciler,
    counts: null,
    hazards: watch.found,
    host: null,
    layOut: null,
    close: async () => {
      await watch.close();
      await reconciler.close();
    },
  };
}

/** Nothing is written to a host: it is asked nothing either, so looking twice a second costs nothing. */
export function serveHost(name: string, hosts: Hosts, serving: Serving): ServedPoint {
  const point = createRemotePoint({ name, shelf: hosts.shelf, reports: hosts.reports });
  let desired: CompiledPolicy | null = null;
  const { logger } = serving;
  const reconciler = createReconciler({ point, logger, onDrift: 'report', onChange: applications(name, serving) });
  return {
    name,
    kind: 'host',
    point,
    reconciler,
    counts: null,
    hazards: () => hosts.hazards(name, desired),
    host: () => hosts.status(name),
    layOut(policy) {
      desired = policy;
      hosts.shelf.put(policy);
    },
    close: () => reconciler.close(),
  };
}

/** A point that was found to hold a newer revision makes us number from there on. */
export function setDesired(it: ServedPoint, desired: CompiledPolicy, policy: PolicyInForce): void {
  try {
    it.reconciler.setDesired(desired);
    it.layOut?.(desired);
  } catch (cause) {
    if (!(cause instanceof EdgewardError) || cause.code !== 'EDW_ERR_REVISION_OLDER') throw cause;
    void policy.foundRevision(it.name, it.reconciler.status().appliedRevision ?? desired.revision);
  }
}

/** Tells who numbers revisions what a point holds, and counts how long each revision took. */
export function applications(name: string, { policy, metrics }: Serving): (status: PointStatus) => void {
  let applied = 0;
  let told = '';
  return ({ appliedRevision, appliedAt, desiredAt, desiredRevision, state }) => {
    const now = `${state} ${appliedRevision}`;
    if (now !== told) policy.pointChanged(name);
    told = now;
    if (appliedRevision !== null && appliedRevision > (desiredRevision ?? 0))
      void policy.foundRevision(name, appliedRevision);
    if (appliedAt === null || desiredAt === null || appliedRevision !== desiredRevision || appliedRevision === applied)
      return;
    applied = appliedRevision ?? 0;
    metrics.applied(name, Math.max(0, appliedAt - desiredAt) / 1000);
  };
}

interface HazardWatch {
  found(): Hazard[];
  /** Looked at again at once when another revision is in force: it may bind other virtual servers. */
  policyIs(revision: number | null): void;
  close(): Promise<void>;
}

function watchHazards(point: BigipPoint, intervalMs: number, logger: Logger): HazardWatch {
  let known: Hazard[] = [];
  let revision: number | null = null;
  let looking: Promise<void> | null = null;
  let closed = false;
  const look = (): void => {
    if (closed) return;
    looking ??= point
      .hazards()
      .then((found) => {
        report(point.name, known, found, logger);
        known = found;
      })
      // The reconciler says that a point is away.
      .catch((cause: unknown) =>
        logger.debug({ event: 'hazards_unknown', point: point.name, cause: messageOf(cause) }, 'not looked at'),
      )
      .finally(() => {
        looking = null;
      });
  };
  const timer = setInterval(look, intervalMs).unref();
  return {
    found: () => known,
    policyIs(next) {
      if (next === revision) return;
      revision = next;
      if (next !== null) look();
    },
    async close() {
      closed = true;
      clearInterval(timer);
      await looking;
    },
  };
}

function report(point: string, before: readonly Hazard[], now: readonly Hazard[], logger: Logger): void {
  const known = new Set(before.map(({ object, code }) => `${object} ${code}`));
  for (const { object, code, words, mend } of now) {
    if (known.has(`${object} ${code}`)) continue;
    logger.warn({ event: 'hazard_found', point, object, hazard: code, mend }, words);
  }
}
