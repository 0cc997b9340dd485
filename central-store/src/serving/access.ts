/**
 * The door of the store. The certificate says who somebody is, the trust root what a person may do, and nothing in a request
 * says anything about either. Who is refused is on the record before the answer; who asks too often is only counted, as a
 * record could be filled that way.
 */
import type { X509Certificate } from 'node:crypto';
import { type Identity, identityOf } from '@edgeward/certificates';
import type { TrustRoot } from '@edgeward/policy-format';
import { type Clock, createRateLimit, type EdgewardError, type HttpFailure, type TlsAsked } from '@edgeward/runtime';
import { requireRole } from '../proposals/people.ts';
import { type Actor, recordRefusal } from '../record/attempt.ts';
import { NOBODY } from '../record/own-names.ts';
import type { AttemptRecord } from '../record/record.ts';
import { createLargeBodies, type LargeBodies } from './large-bodies.ts';
import { doorFailure, notThere, statusOf } from './refusals.ts';
import { EVERYBODY, type StoreRoute } from './route.ts';

export interface RateLimits {
  /** Requests of one certificate for each point that it names: so many a second, and at once. */
  requests: Budget;
  blobs: Budget;
}

interface Budget {
  perSecond: number;
  burst: number;
}

export interface Access {
  admit(asked: TlsAsked<StoreRoute> & { peer: X509Certificate }): HttpFailure | null;
  /** Puts a refusal on the record. */
  refused(asked: TlsAsked<StoreRoute>, failed: HttpFailure): Promise<void>;
  /** An error that is on the record already. */
  recorded(error: EdgewardError): void;
  limited(): number;
  /** The request is over, however it ended. */
  over: LargeBodies['over'];
}

export interface AccessOptions {
  root: () => TrustRoot;
  record: AttemptRecord;
  clock: Clock;
  limits: RateLimits;
}

/** Refusals of one identity that are written down: so many at once, then one a second. More is asking too often. */
const REFUSALS: Budget = { perSecond: 1, burst: 60 };
/** Asked too often, somebody is named on the record this often. */
const LIMITED: Budget = { perSecond: 1 / 60, burst: 1 };

/** Answers that are no refusals: what was asked for is not there, or not there any more. */
const NO_REFUSAL = new Set([
  'EDW_ERR_STORE_NO_POINT',
  'EDW_ERR_STORE_NO_BLOB',
  'EDW_ERR_STORE_NO_ROOT',
  'EDW_ERR_STORE_EPOCH',
  'EDW_ERR_PROPOSAL_UNKNOWN',
  'EDW_ERR_PROPOSAL_CLOSED',
  'EDW_ERR_STORE_OUTDATED',
  'EDW_ERR_VERSION_UNKNOWN',
]);

export function createAccess(options: AccessOptions): Access {
  const { clock, record } = options;
  const budgets = { requests: createRateLimit(options.limits.requests), blobs: createRateLimit(options.limits.blobs) };
  const refusals = createRateLimit(REFUSALS);
  const tellings = createRateLimit(LIMITED);
  const overdrawn = new Map<string, number>();
  const known = new WeakSet<EdgewardError>();
  const largeBodies = createLargeBodies();
  let limited = 0;

  /** A service that keeps a hundred points asks a hundred times as often. */
  function waitMs(key: string, points: number, budget: StoreRoute['budget']): number {
    const nowMs = clock.now();
    const untilMs = overdrawn.get(key) ?? 0;
    if (untilMs > nowMs) return untilMs - nowMs;
    overdrawn.delete(key);
    return budgets[budget].take(key, nowMs, Math.max(1, points));
  }

  return {
    limited: () => limited,
    recorded: (error) => void known.add(error),
    over: largeBodies.over,
    admit({ peer, route, params, path, headers }) {
      const identity = identityIn(peer);
      // Two services side by side have the same names, and each a budget of its own.
      const ms = waitMs(peer.fingerprint256, identity.points.length, route?.budget ?? 'requests');
      if (ms > 0) {
        limited += 1;
        return tooOften(ms);
      }
      if (identity.person === null && identity.points.length === 0)
        return doorFailure(403, 'EDW_ERR_STORE_IDENTITY', 'the certificate names no point and no person');
      if (route === null) return null;
      const refused = allowed(route, identity, params, path, options.root());
      if (refused !== null) return refused;
      const largeMs = largeBodies.admit(keyOf(identity), headers, route);
      if (largeMs === 0) return null;
      limited += 1;
      return tooOften(largeMs, `another large body of ${keyOf(identity)} is in work`);
    },
    async refused(asked, { error, status }) {
      if (known.has(error) || NO_REFUSAL.has(error.code) || status >= 500) return;
      const identity = asked.peer === null ? UNNAMED : identityIn(asked.peer);
      const key = keyOf(identity);
      const nowMs = clock.now();
      if (error.code === 'EDW_ERR_STORE_RATE') {
        if (tellings.take(key, nowMs) > 0) return;
      } else {
        const ms = refusals.take(key, nowMs);
        if (ms > 0 && asked.peer !== null) overdrawn.set(asked.peer.fingerprint256, nowMs + ms);
      }
      const action = asked.route?.action ?? 'http.request';
      const target = `${asked.method} ${asked.path}`;
      await recordRefusal(record, { actor: actorOf(identity), action, target }, error);
    },
  };
}

const UNNAMED: Identity = { points: [], person: null };
const identities = new WeakMap<X509Certificate, Identity>();

export function identityIn(peer: X509Certificate): Identity {
  const known = identities.get(peer) ?? identityOf(peer);
  identities.set(peer, known);
  return known;
}

/** A person before the points that one certificate may name beside. */
export function actorOf({ person, points }: Identity): Actor {
  if (person !== null) return { name: person, by: 'certificate' };
  return { name: points.length === 0 ? NOBODY : `point:${points.join(',')}`, by: 'certificate' };
}

function keyOf(identity: Identity): string {
  return actorOf(identity).name;
}

function allowed(
  route: StoreRoute,
  identity: Identity,
  params: Record<string, string>,
  path: string,
  root: TrustRoot,
): HttpFailure | null {
  if (route.who === 'anyone') return null;
  if (route.who === 'point') return identity.points.includes(params.point ?? '') ? null : notThere(path);
  if (identity.person === null) {
    // Of a point that asks for what people see, there is nothing either.
    return route.who === 'known' ? null : notThere(path);
  }
  try {
    requireRole(
      root,
      actorOf(identity),
      route.who === 'known' ? EVERYBODY : route.who,
      route.doc.summary.toLowerCase(),
    );
    return null;
  } catch (thrown) {
    const error = thrown as EdgewardError;
    return { status: statusOf(error), error };
  }
}

function tooOften(ms: number, why = 'this certificate asks more often than it may'): HttpFailure {
  const failed = doorFailure(429, 'EDW_ERR_STORE_RATE', why);
  return { ...failed, headers: { 'retry-after': String(Math.ceil(ms / 1000)) } };
}
