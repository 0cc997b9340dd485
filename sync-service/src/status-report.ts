import type {
  Collector,
  DenialAccount,
  ListenerStatus,
  LogStatus,
  Sinks,
  SpoolStatus,
} from '@edgeward/audit-collector';
import type { PointStatus } from '@edgeward/enforcement-point';
import type { HazardCode } from '@edgeward/f5-irules';
import type { Mode } from '@edgeward/policy';
import type { FollowerStatus } from '@edgeward/policy-feed';
import type { Forwarders } from './forwarders.ts';
import { headlineOf } from './headline.ts';
import { type HostStatus, unmanagedHazards } from './hosts/host-status.ts';
import type { PolicySource } from './policy-source.ts';
import type { Proofs } from './proof/proofs.ts';
import type { PointHazard, ServedPoint } from './served-point.ts';
import type { PointReport, ServiceStatus } from './status-api.ts';

/** Everything that `edgeward status` shows, put together at the moment it is asked for. */
export interface Reported {
  version: string;
  startedAtMs: number;
  source: PolicySource;
  served: readonly ServedPoint[];
  collector: Collector;
  forwarders: Forwarders | null;
  proofs: Pick<Proofs, 'of'>;
  sinks: Pick<Sinks, 'status'>;
}

export function reportStatus({
  version,
  startedAtMs,
  source,
  served,
  collector,
  forwarders,
  proofs,
  sinks,
}: Reported): ServiceStatus {
  const { warnings, stateWriteFailures: _, ...policy } = source.policy.status();
  const followers = new Map(source.followers().map((it) => [it.point, it]));
  const { logs, listeners, spools, ledgerError } = intakesOf(collector);
  const objects = source.policy.objects();
  const accounts = new Map(collector.accounts().map((account) => [account.point, account]));
  const points = served.map((it): PointReport => {
    const modes: Record<Mode, number> = { enforce: 0, observe: 0, off: 0 };
    const own = objects.filter((object) => object.point === it.name);
    const hazards = [...it.hazards(), ...unmanagedHazards(own)];
    const unprotected = own.filter((object) => object.mode !== 'off' && isUnprotected(object, hazards));
    const host = it.host?.() ?? null;
    for (const object of own) if (!unprotected.includes(object)) modes[modeAt(object, host)] += 1;
    const [log, listener, spool] = [logs.get(it.name), listeners.get(it.name), spools.get(it.name)];
    const forwarder = forwarders?.of(it.name) ?? null;
    const status = it.reconciler.status();
    return {
      ...status,
      kind: it.kind,
      objects: modes,
      denials: {
        stored: (log ?? listener ?? spool)?.stored ?? 0,
        uncovered: spool?.gaps ?? unloggedOf(accounts.get(it.name)),
        counted:
          log?.enforced ??
          listener?.observed ??
          (forwarder === null ? countedAt(host, spool) : (accounts.get(it.name)?.observed ?? 0)),
      },
      logError: log?.error ?? listener?.error ?? forwarder?.error ?? ledgerError,
      hazards,
      unprotected: unprotected.map(({ name }) => name),
      proofs: proofs.of(it.name, it.kind, own),
      store: storeOf(followers.get(it.name), versionsOf(status, source)),
      forwarder,
      snapshot: it.snapshot?.() ?? null,
      host,
    };
  });
  return {
    version,
    startedAtMs,
    nowMs: Date.now(),
    headline: headlineOf(policy, points, source.store),
    policy: { ...policy, directory: source.directory, store: source.store, warnings: warnings.length },
    points,
    sinks: sinks.status(),
  };
}

/** Of an NGINX whose log is followed here. */
function unloggedOf(account: DenialAccount | undefined): PointReport['denials']['uncovered'] {
  const unlogged = account?.gaps.get('unlogged') ?? 0;
  return unlogged > 0 ? { unlogged } : {};
}

type Versions = Pick<NonNullable<PointReport['store']>, 'desiredVersion' | 'appliedVersion'>;

function storeOf(follower: FollowerStatus | undefined, versions: Versions): PointReport['store'] {
  if (follower === undefined) return null;
  const { epoch, revision, version, stale, contradicted, breakGlass, lastCheckedAtMs, nack } = follower;
  return { epoch, revision, version, ...versions, stale, contradicted, breakGlass, lastCheckedAtMs, nack };
}

function versionsOf(status: PointStatus, source: PolicySource): Versions {
  const { point, desiredRevision, desiredHash, appliedRevision, appliedHash } = status;
  const of = (revision: number | null, hash: string | null): number | null =>
    revision === null || hash === null ? null : source.versionOf(point, { revision, hash });
  return { desiredVersion: of(desiredRevision, desiredHash), appliedVersion: of(appliedRevision, appliedHash) };
}

/** What the policy says of these objects is judged by nobody, or only in part. */
const UNPROTECTED: readonly string[] = [
  'virtual-missing',
  'not-attached',
  'requests-not-judged',
  'connections-not-judged',
  'rule-ends-events',
  'rule-ends-http',
] satisfies HazardCode[];

/** A host says itself what it does: one that refused to enforce observes. */
function modeAt({ mode }: { mode: Mode }, host: HostStatus | null): Mode {
  return mode === 'enforce' && host?.report?.mode === 'observe' ? 'observe' : mode;
}

/** The host's own total, or what came from it where that is more: a host that was made anew counts from zero. */
function countedAt(host: HostStatus | null, spool: SpoolStatus | undefined): number {
  return Math.max(host?.report?.denials.denied ?? 0, spool?.observed ?? 0);
}

function isUnprotected({ name, bind }: { name: string; bind: string }, hazards: readonly PointHazard[]): boolean {
  return hazards.some(({ object, code }) => {
    // What names no virtual server is told by the name of its document.
    if (code === 'bind-unusable') return object === name;
    return object === bind && UNPROTECTED.includes(code);
  });
}

interface Intakes {
  logs: Map<string, LogStatus>;
  listeners: Map<string, ListenerStatus>;
  spools: Map<string, SpoolStatus>;
  ledgerError: PointReport['logError'];
}

function intakesOf(collector: Collector): Intakes {
  return {
    logs: new Map(collector.status().map((log) => [log.point, log])),
    listeners: new Map(collector.listeners().map((listener) => [listener.point, listener])),
    spools: new Map(collector.spools().map((spool) => [spool.point, spool])),
    ledgerError: collector.ledgerError(),
  };
}
