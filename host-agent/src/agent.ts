/**
 * The agent of one host, put together. What is known is in force before anything is asked of a network; then the service is
 * followed, what stands is guarded, denials are told. Ending it leaves everything in force.
 */
import { type Clock, EdgewardError, type Lifecycle, type Logger, messageOf, systemClock } from '@edgeward/runtime';
import { createToolRun, type RunTool } from '../driver/index.ts';
import { takeAgentLock } from './agent-lock.ts';
import { createApprovals } from './approvals/approvals.ts';
import type { AgentConfig } from './config.ts';
import { createDenials } from './denials/index.ts';
import { orderedEnd } from './ending.ts';
import { type Contact, follow } from './follow.ts';
import { createGuard } from './guard/index.ts';
import { type Heartbeat, startHeartbeat } from './heartbeat.ts';
import { endOf, type Identity, keysOfKept, readIdentity } from './identity.ts';
import { readInForce } from './in-force.ts';
import { openLastKnown } from './last-known.ts';
import { type OpenHost, openHost } from './open-host.ts';
import type { Denials, Guard, SendDenials } from './parts.ts';
import { reportOf } from './report.ts';
import { findKubernetes } from './safety/kubernetes.ts';
import { isOwn, ownAddresses, readSessions } from './safety/sessions.ts';
import { createServiceLink, type ServiceLink } from './service-link.ts';
import { createStanding, type Standing } from './standing.ts';
import { createStatusFile } from './status-file.ts';
import { createTakeOver, type TakeOver } from './take-over.ts';

export interface AgentOptions {
  config: AgentConfig;
  version: string;
  logger: Logger;
  lifecycle: Lifecycle;
  clock?: Clock;
  /** Words before every program of the host: tests give each host a network namespace. */
  where?: readonly string[];
}

/** Follows until the lifecycle ends. Throws where the host can't be protected at all: not enrolled, no packet filter. */
export async function startAgent(options: AgentOptions): Promise<void> {
  const { config, logger, lifecycle, clock = systemClock, where = [] } = options;
  const running: Running = { ...options, clock, where, run: createToolRun({ where }), end: orderedEnd(lifecycle) };
  const identity = await enrolled(config.stateDir);
  const unlocked = await lockState(running);
  const host = await openHost(identity.point, config, running.run);
  for (const warning of host.warnings) logger.warn({ event: 'packet_filter' }, warning);
  const { service, stateDir } = config;
  const link = createServiceLink({ identity, service, stateDir, ending: lifecycle.ending, clock, logger });
  running.end('service link', link.close);
  const core = await startCore(running, host, link);
  if (unlocked !== null) throw unlocked;
  const parts = await startParts(running, host, link, core);
  core.standing.tell(parts);
  startLife(running, host, link, core, parts);
}

/** Throws EDW_ERR_HOST_NOT_ENROLLED. */
export async function enrolled(stateDir: string): Promise<Identity> {
  const identity = await readIdentity(stateDir);
  if (identity !== null) return identity;
  throw new EdgewardError('EDW_ERR_HOST_NOT_ENROLLED', `reading ${stateDir}: this host was not enrolled yet`, {
    mend: 'Run `edgeward hosts invite NAME` where the sync service runs, then `edgeward agent enrol INVITE` here.',
  });
}

interface Running extends AgentOptions {
  clock: Clock;
  where: readonly string[];
  run: RunTool;
  end: ReturnType<typeof orderedEnd>;
}

interface Core {
  takeOver: TakeOver;
  standing: Standing;
  warnings: string[];
  /** What is to be told of a change; nobody at first. */
  changed: { tell: () => void };
  reach: { now: () => Promise<void> };
}

/** What is known is in force when it resolves: nothing before this asked a network or wrote a file but the lock. */
async function startCore(running: Running, host: OpenHost, link: ServiceLink): Promise<Core> {
  const { config, logger, clock, run, end } = running;
  const { netfilter, point } = host;
  const warnings = [...host.warnings];
  const aud = point.name;
  const known = await openLastKnown({
    ...{ stateDir: config.stateDir, aud, keys: () => keysOfKept(link.identity()) },
    onDamage: (words) => {
      warnings.push(`not used: ${words}`);
      logger.error({ event: 'state_damaged' }, words);
    },
  });
  const standing = createStanding({ point, netfilter });
  const changed = { tell: (): void => {} };
  const reach = { now: (): Promise<void> => Promise.reject(new Error('the agent has only begun')) };
  const { rootFile, stateDir } = config;
  const ending = running.lifecycle.ending;
  const approvals = createApprovals({ point: aud, rootFile, stateDir, client: link.client, ending, clock, logger });
  const takeOver = createTakeOver({
    ...{
      aud,
      keys: () => link.identity().signingKeys,
      known,
      standing,
      clock,
      logger,
      isReached: () => isReached(link),
    },
    surroundings: async () => ({
      kubernetes: await findKubernetes({ run }),
      sessions: await readSessions(),
      servicePort: servicePortHere(link),
    }),
    approve: approvals.check,
    inForce: () => readInForce(netfilter),
    reach: () => reach.now(),
    onChanged: () => changed.tell(),
  });
  end('point', point.close);
  end('policy', takeOver.close);
  await takeOver.restore();
  return { takeOver, standing, warnings, changed, reach };
}

function isReached(link: ServiceLink): boolean {
  return link.wasReached() && link.contact().error === null;
}

/** Where the service that was reached last listens, if that is on this very host. */
function servicePortHere(link: ServiceLink): number | null {
  const remote = link.client().remote();
  return remote !== null && isOwn(remote.address, ownAddresses()) ? remote.port : null;
}

/**
 * A disk without room keeps no agent from its work; another agent does. What this answers ends it when last-known-good is in
 * force, and not before.
 */
async function lockState({ config, logger, end }: Running): Promise<EdgewardError | null> {
  const lock = await takeAgentLock(config.stateDir);
  if (lock.state === 'in-use') throw lock.cause;
  if (lock.state === 'held') end('state lock', lock.release);
  else logger.error({ event: 'state_not_locked', code: lock.cause.code }, lock.cause.message);
  return lock.state === 'unreadable' ? lock.cause : null;
}

interface Parts {
  guard: Guard;
  denials: Denials;
}

async function startParts(options: Running, host: OpenHost, link: ServiceLink, core: Core): Promise<Parts> {
  const { config, clock, logger, where, end } = options;
  const changed = (): void => core.changed.tell();
  const guard = createGuard({
    ...{ point: host.point, netfilter: host.netfilter, where, reaction: config.reaction, clock, logger },
    ...{ onRepair: () => void core.standing.repaired().then(changed), onContended: changed, onDrift: changed },
  });
  end('guard', guard.close);
  const { stateDir, runtimeDir } = config;
  const send: SendDenials = (gzipped) => link.client().denials(gzipped);
  const denials = await createDenials({ stateDir, runtimeDir, netfilter: host.netfilter, send, clock, logger, where });
  end('denials', denials.close);
  host.tellRetired(denials.countersRetired);
  return { guard, denials };
}

function waitingSince(denials: Denials): string | null {
  const sinceMs = denials.waitingSinceMs();
  return sinceMs === null ? null : new Date(sinceMs).toISOString();
}

/** Reports, and follows. */
function startLife(options: Running, host: OpenHost, link: ServiceLink, core: Core, { guard, denials }: Parts): void {
  const { config, version, clock, logger, lifecycle, end } = options;
  const startedAtMs = clock.now();
  const file = createStatusFile(config.runtimeDir, logger);
  const compose = (): ReturnType<typeof reportOf> =>
    reportOf({
      ...{ version, backend: host.netfilter.backend, startedAtMs, nowMs: clock.now() },
      ...{ stands: core.takeOver.view(), guard: guard.status() },
      ...{ denials: denials.counters(), outgoing: denials.outgoing() },
      certificateEnds: endOf(link.identity().certificate),
      warnings: [...core.warnings, ...link.warnings(), ...denials.warnings()],
    });
  const writeStatus = (): Promise<void> =>
    file.write({
      point: host.point.name,
      pid: process.pid,
      at: new Date(clock.now()).toISOString(),
      service: link.contact(),
      waitingSince: waitingSince(denials),
      report: compose(),
    });

  core.reach.now = async () => {
    await link.client().report(compose(), { fresh: true });
  };
  const heartbeat: Heartbeat = startHeartbeat({
    clock,
    async tend() {
      await core.takeOver.settle();
      await core.standing.settle();
      await link.tend();
    },
    async report() {
      await writeStatus();
      await link.client().report(compose()).then(reached, notReported);
      await writeStatus();
    },
  });
  core.changed.tell = heartbeat.soon;

  let refused: string | null = null;

  function reached(): void {
    refused = null;
    link.met({ state: 'reached' });
  }

  /** That nobody answers is told by whoever follows; a service that does not take reports is told here, once. */
  function notReported(thrown: unknown): void {
    const code = thrown instanceof EdgewardError ? thrown.code : 'EDW_ERR_INTERNAL';
    if (code !== refused && code !== 'EDW_ERR_SERVICE_UNREACHABLE')
      logger.warn({ event: 'not_reported', code, err: thrown }, messageOf(thrown));
    refused = code;
  }

  function onContact(contact: Contact): void {
    const before = link.contact().error;
    link.met(contact);
    if ((before === null) !== (contact.state === 'reached')) void writeStatus();
    // A service that was started anew knows nothing of this host; and all its hosts find it at the same time.
    if (before !== null && contact.state === 'reached') clock.after(Math.random() * SPREAD_MS, heartbeat.soon);
  }

  // Timers alone keep no process alive, and between two questions to a service that is away there is nothing else.
  const alive = setInterval(() => {}, ALIVE_MS);
  const following = follow({
    ...{ client: link.client, offer: core.takeOver.offer, onContact, clock, logger, signal: lifecycle.ending },
  });
  end('following', async () => {
    await heartbeat.close();
    await following;
    clearInterval(alive);
    await file.remove();
  });
}

const ALIVE_MS = 2 ** 30;
/** Hundreds of hosts, and one service that verifies and stores what each of them says. */
const SPREAD_MS = 3_000;
