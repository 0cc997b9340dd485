import type { Collector } from '@edgeward/audit-collector';
import type { CompiledPolicy } from '@edgeward/policy';
import { type Clock, type Lifecycle, type Logger, type Registry, systemClock } from '@edgeward/runtime';
import type { HostsConfig } from '../config.ts';
import type { ScrapedHosts } from '../host-metrics.ts';
import { countDeferrals } from './deferral-counts.ts';
import { denialsRoute } from './denials-route.ts';
import { openEnrolListener } from './enrol-listener.ts';
import { type HostAuthority, openHostAuthority } from './enrolment.ts';
import { enrolmentStatusOf } from './enrolment-refusals.ts';
import { type Evidence, evidenceRoutes } from './evidence-routes.ts';
import { createHostReports, type HostReports } from './host-reports.ts';
import { type HostHazard, type HostStatus, hostHazards, hostStatus } from './host-status.ts';
import { type HostListener, openHostListener } from './listener.ts';
import { createPolicyShelf, type PolicyShelf } from './policy-shelf.ts';
import { hostIn, hostRoutes } from './routes.ts';
import { openSigningKey } from './signing.ts';

/** Everything that hosts need of this service, put together: keys, listeners, what they hold and what they said. */
export interface Hosts {
  shelf: PolicyShelf;
  reports: HostReports;
  status(point: string): HostStatus;
  hazards(point: string, desired: CompiledPolicy | null): HostHazard[];
  scraped(): ScrapedHosts;
  /** Where hosts call. */
  url: string;
  /** Null where enrolment is off. */
  enrolUrl: string | null;
}

export interface HostsOptions {
  config: HostsConfig;
  stateDir: string;
  collector: Pick<Collector, 'takeHostRecords'>;
  /** Null where no central store is followed. */
  evidence: Evidence | null;
  /** A policy is in force: denials have names from then on. */
  ready: () => boolean;
  registry: Registry;
  logger: Logger;
  lifecycle: Lifecycle;
  clock?: Clock;
}

/** Listening when it resolves. Throws EDW_ERR_HOST_SIGNING_KEY, EDW_ERR_AUTHORITY, and what listeners throw. */
export async function openHosts(options: HostsOptions): Promise<Hosts> {
  const { config, lifecycle, registry, logger, clock = systemClock } = options;
  const key = await openSigningKey(config.folder);
  const shelf = createPolicyShelf({ key, clock });
  const reports = createHostReports(clock);
  let listener: HostListener | null = null;
  const authority = await openHostAuthority({
    stateDir: options.stateDir,
    names: config.names,
    points: config.points.map(({ name }) => name),
    signingKeys: [key.publicKey],
    service: () => urlsOf(config, listener),
    ...{ registry, logger, clock },
  });
  lifecycle.onClose('authority of hosts', () => authority.close());
  listener = await openCalls(options, authority, { shelf, reports, clock });
  lifecycle.onClose('listener of hosts', listener.close);
  const enrolUrl = await openEnrolment(options, authority, clock);
  const status = (point: string): HostStatus => hostStatus(point, reports);
  const isApproved = options.evidence !== null;
  return {
    shelf,
    reports,
    status,
    hazards: (point, desired) => hostHazards(point, status(point), { desired, isApproved }, clock.now()),
    scraped: () => ({
      hosts: config.points.map(({ name }) => ({ point: name, host: status(name) })),
      listener: listener?.counts() ?? null,
      longPolls: shelf.waiting(),
    }),
    url: listener.url,
    enrolUrl,
  };
}

interface Parts {
  shelf: PolicyShelf;
  reports: HostReports;
  clock: Clock;
}

function openCalls(options: HostsOptions, authority: HostAuthority, parts: Parts): Promise<HostListener> {
  const { config, collector, ready, registry, logger } = options;
  const { clock } = parts;
  const points = config.points.map(({ name }) => name);
  const quota = { recordsPerSecond: config.denialsPerSecond, onDeferred: countDeferrals(registry, points) };
  return openHostListener({
    ...config.listen,
    files: authority.files,
    identify: authority.pointOf,
    statusOf: enrolmentStatusOf,
    routes: [
      ...hostRoutes(parts),
      ...evidenceRoutes(options.evidence),
      denialsRoute({ collector, ready, ...quota, clock }),
      {
        method: 'POST',
        path: '/v1/host/certificate',
        handle: async (request) => ({ json: await authority.renew(hostIn(request), request.json()) }),
      },
    ],
    clock,
    logger,
  });
}

async function openEnrolment(options: HostsOptions, authority: HostAuthority, clock: Clock): Promise<string | null> {
  const { config, lifecycle, logger } = options;
  if (config.enrolListen === null) return null;
  const listener = await openEnrolListener({ ...config.enrolListen, authority, logger, clock });
  lifecycle.onClose('listener of enrolment', listener.close);
  return listener.url;
}

/** Each name with the port that is listened on. */
function urlsOf({ names, listen }: HostsConfig, listener: HostListener | null): string[] {
  const port = listener?.port ?? listen.port;
  return names.map((name) => `https://${name.includes(':') ? `[${name}]` : name}:${port}`);
}
