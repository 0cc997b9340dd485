import { type CompiledPolicy, explain, type Finding, type Identities, identitiesOf } from '@edgeward/policy';
import {
  createFollower,
  type Follower,
  type FollowerStatus,
  type Observed,
  type Transport,
} from '@edgeward/policy-feed';
import { createPointCompiler, type PointCompiler, type PointPolicy } from '@edgeward/policy-feed/last-hop';
import { goodSignatures, type PointState, type SignedDocument } from '@edgeward/policy-format';
import { type Clock, EdgewardError, type Logger, messageOf, sha256Hex } from '@edgeward/runtime';
import type { Evidence } from '../hosts/evidence-routes.ts';
import type { PolicyInForce, PolicyStatus } from '../policy-in-force.ts';
import { type KnownIdentities, type RecentIdentities, recentIdentities } from '../recent-identities.ts';
import { type Given, type GivenVersions, givenVersions } from './given-versions.ts';
import type { WorkloadNames } from './workload-names.ts';

/**
 * What a central store says that the points served here should hold: each point followed on its own, verified, compiled
 * here. This service is the last hop that checks people's signatures; the store numbers, holds and rolls out.
 */
export interface StorePolicy extends PolicyInForce {
  /** With what was last known of every point handed over; from then on the store is followed. */
  start(): Promise<void>;
  followers(): FollowerStatus[];
  /** Of a policy that this point was given; null where it is not known. */
  versionOf(point: string, policy: Given): number | null;
  /** Of `hosts`. */
  evidence: Evidence;
}

export interface StorePolicyOptions {
  points: readonly string[];
  /** Those of them that may verify approvals themselves. */
  hosts?: readonly string[];
  transport: Transport;
  pinnedRoot: SignedDocument;
  /** Holds a folder for each point. */
  stateDir: string;
  /** Who speaks in reports. */
  service: string;
  pollMs: number;
  names: WorkloadNames;
  clock: Clock;
  logger: Logger;
  publish(point: string, policy: CompiledPolicy): void;
  observe(point: string): Observed;
}

interface Followed {
  point: string;
  follower: Follower;
  compiler: PointCompiler;
  now: PointPolicy | null;
  changedAtMs: number | null;
  /** The greatest revision that the point was found to hold and that was not ours. */
  foundRevision: number;
  recent: RecentIdentities;
  versions: GivenVersions;
  /** For a host that still reads what was replaced a moment ago; newest first. */
  states: PointState[];
  cancelTimer: () => void;
}

/** A timer knows nothing of a clock that was set, or of a machine that slept: the time of day is looked at this often. */
const LONGEST_DELAY_MS = 60_000;

export function createStorePolicy(options: StorePolicyOptions): StorePolicy {
  const { clock, logger, names } = options;
  const hosts = new Set(options.hosts);
  const signatures = goodSignatures();
  const followed = new Map(options.points.map((point) => [point, follow(point)]));
  const all = (): Followed[] => [...followed.values()];
  let closed = false;

  function follow(point: string): Followed {
    const it: Followed = {
      point,
      follower: createFollower({
        point,
        transport: options.transport,
        pinnedRoot: options.pinnedRoot,
        stateDir: options.stateDir,
        service: options.service,
        signatures,
        logger,
        clock,
        pollMs: options.pollMs,
        onState: (state) => take(it, state),
        observe: () => options.observe(point),
      }),
      compiler: createPointCompiler(point),
      now: null,
      changedAtMs: null,
      foundRevision: 0,
      recent: recentIdentities(),
      versions: givenVersions(),
      states: [],
      cancelTimer: () => {},
    };
    return it;
  }

  /** Throws where it can't be compiled: then it was not taken over, and what is in force stays. */
  function take(it: Followed, state: PointState): void {
    const next = it.compiler.compile(state, clock.now());
    const { revision, hash } = next.policy;
    const isNews = it.now === null || it.now.policy.hash !== hash || it.now.policy.revision !== revision;
    it.now = next;
    if (hosts.has(it.point)) it.states = withState(it.states, state);
    it.recent.remember(revision, named(next));
    it.versions.remember(next.policy, next.version);
    schedule(it);
    if (!isNews) return;
    it.changedAtMs = clock.now();
    options.publish(it.point, next.policy);
    names.changed();
    logger.info({ event: 'policy_published', point: it.point, revision, hash }, 'published');
  }

  /** A workload is named by the inventory, which says nothing about verdicts. */
  function named(policy: PointPolicy): Identities {
    return identitiesOf(policy.resolution, names.at);
  }

  function schedule(it: Followed): void {
    it.cancelTimer();
    const next = it.now?.nextChangeAtMs ?? null;
    // What was being verified when this was closed still arrives.
    if (next === null || closed) return;
    const delayMs = Math.min(Math.max(0, next - clock.now()), LONGEST_DELAY_MS);
    it.cancelTimer = clock.after(delayMs, () => {
      if (clock.now() >= next) again(it);
      else schedule(it);
    });
  }

  function again(it: Followed): void {
    const state = it.now?.state;
    if (state === undefined) return;
    try {
      take(it, state);
    } catch (thrown) {
      logger.error({ event: 'recompile_failed', point: it.point, err: thrown }, messageOf(thrown));
      // What ends later must still end.
      it.cancelTimer = clock.after(LONGEST_DELAY_MS, () => again(it));
    }
  }

  function identities(point: string, revision?: number): KnownIdentities | null {
    return followed.get(point)?.recent.at(revision) ?? null;
  }

  return {
    async start() {
      await Promise.all(all().map((it) => it.follower.start()));
    },
    followers: () => all().map((it) => it.follower.status()),
    versionOf: (point, policy) => followed.get(point)?.versions.versionOf(policy) ?? null,
    evidence: {
      states: (point) => followed.get(point)?.states ?? [],
      root: async (point, version, signal) => followed.get(point)?.follower.root(version, signal) ?? null,
    },
    accept: (revision) => Promise.reject(notHeldHere(revision)),
    async foundRevision(point, revision) {
      const it = followed.get(point);
      if (it === undefined || revision <= Math.max(it.foundRevision, it.now?.policy.revision ?? 0)) return;
      it.foundRevision = revision;
      logger.warn(
        { event: 'newer_revision_found', point, revision },
        'the point holds a newer revision than the store gives it',
      );
      // The store numbers above what it is told that a point holds.
      it.follower.reportSoon();
    },
    pointChanged: (point) => followed.get(point)?.follower.reportSoon(),
    status: () => statusOf(all()),
    explain(flow) {
      for (const it of all()) {
        const known = it.recent.at();
        if (it.now === null || known === null || it.now.view.object(flow.to) === null) continue;
        return explain(known.identities, it.now.view, flow);
      }
      const first = all().find((it) => it.now !== null);
      const known = first?.recent.at() ?? null;
      return first?.now == null || known === null ? null : explain(known.identities, first.now.view, flow);
    },
    identities,
    objects: () => all().flatMap((it) => it.now?.resolution.objects ?? []),
    async close() {
      closed = true;
      for (const it of all()) it.cancelTimer();
      await Promise.all(all().map((it) => it.follower.close()));
    },
  };
}

const MOST_STATES = 4;

function withState(before: readonly PointState[], state: PointState): PointState[] {
  const others = before.filter(({ head }) => head.revision !== state.head.revision);
  return [state, ...others].slice(0, MOST_STATES);
}

function statusOf(followed: Followed[]): PolicyStatus {
  const errors = followed.flatMap((it) => [...errorsOf(it.follower.status()), ...newerAt(it)]);
  const held = followed.flatMap((it) => (it.now === null ? [] : [it.now]));
  // From disk, and the store has not answered yet: nobody knows whether it is the newest.
  const isOld = followed.some((it) => {
    const { stale, lastCheckedAtMs } = it.follower.status();
    return stale || (it.now !== null && lastCheckedAtMs === null);
  });
  const changes = followed.map((it) => it.changedAtMs ?? 0);
  const ends = held.flatMap(({ nextChangeAtMs }) => nextChangeAtMs ?? []);
  return {
    state: held.length === 0 ? 'none' : errors.length > 0 || isOld ? 'last-known-good' : 'current',
    revision: Math.max(0, ...held.map(({ policy }) => policy.revision)),
    hash: sha256Hex(held.map(({ policy }) => `${policy.point} ${policy.hash}\n`).join('')),
    changedAtMs: Math.max(0, ...changes) || null,
    errors,
    warnings: [],
    held: null,
    nextChangeAtMs: ends.length === 0 ? null : Math.min(...ends),
    stateWriteFailures: followed.filter((it) => it.now !== null && !it.follower.status().kept).length,
  };
}

/** What keeps the newest of the store out of force. */
function errorsOf({ point, store, nack, lastError }: FollowerStatus): Finding[] {
  const errors: Finding[] = [];
  if (nack !== null) {
    const message = `${point}: revision ${nack.revision} was not taken over (${nack.stage}): ${nack.message}`;
    const mend = lastError?.code === nack.code ? lastError.mend : NACK_MEND;
    errors.push(findingOf(store, nack.code, message, mend));
  }
  if (lastError !== null && lastError.code !== nack?.code)
    errors.push(findingOf(store, lastError.code, `${point}: ${lastError.message}`, lastError.mend));
  return errors;
}

const NACK_MEND = 'What is in force stays. Look at the store, and at who signed.';

/** Nothing older is written over it. */
function newerAt({ point, now, foundRevision, follower }: Followed): Finding[] {
  if (now === null || foundRevision <= now.policy.revision) return [];
  const message = `${point}: it holds revision ${foundRevision}, and the store gives it revision ${now.policy.revision}`;
  return [findingOf(follower.status().store, 'EDW_ERR_REVISION_OLDER', message, NEWER_MEND)];
}

const NEWER_MEND =
  'A store that hears of it numbers above it within seconds. Through a mirror it does not hear: follow the store itself once.';

function findingOf(store: string, code: string, message: string, mend: string): Finding {
  return { severity: 'error', code, file: store, line: 1, column: 1, message, mend };
}

function notHeldHere(revision: number): EdgewardError {
  return new EdgewardError('EDW_ERR_NOTHING_HELD', `accepting revision ${revision}: no revision is held here`, {
    mend: 'A central store holds them: look at `edgeward store status`, and accept it there.',
  });
}
