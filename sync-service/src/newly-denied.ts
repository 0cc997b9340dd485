/**
 * Denials of flows that a rule allowed during the last week: mostly an edit that took away more than was meant, a workload
 * that lost a label, or a grant that ended. Told once for each object and revision in the log, and counted. It looks at what
 * is stored already, so it never holds anything up; in a flood it looks at so many a second and counts the rest as such.
 */
import type { DenyEvent } from '@edgeward/audit-collector';
import type { CompiledPolicy } from '@edgeward/policy';
import { type Logger, metricGroup, type Registry } from '@edgeward/runtime';
import { type EarlierObjects, earlierObjects } from './earlier-objects.ts';
import { flowOf } from './event-labels.ts';

export interface NewlyDenied {
  /** This policy is in force at its point from now on. */
  remember(policy: CompiledPolicy): void;
  look(event: DenyEvent): void;
}

export interface NewlyDeniedOptions {
  registry: Registry;
  logger: Logger;
  now: () => number;
  earlier?: EarlierObjects;
  /** Denials that are looked at in one second. */
  mostPerSecond?: number;
}

interface Count {
  point: string;
  object: string;
  denials: number;
  /** The revision that took it away, of the newest such denial. */
  since: number;
}

const MOST_NAMES = 2_000;
/** They are no matter of an edit. */
const NOT_COMPARED = new Set(['no-policy', 'unknown-object', 'internal-error']);

export function watchNewlyDenied(options: NewlyDeniedOptions): NewlyDenied {
  const { logger, now, earlier = earlierObjects(), mostPerSecond = 500 } = options;
  const counts = new Map<string, Count>();
  const second = { of: 0, looked: 0 };
  let notLooked = 0;
  metrics(options.registry, counts, () => notLooked);

  function countOf(point: string, name: string): Count {
    const object = counts.size < MOST_NAMES || counts.has(keyOf(point, name)) ? name : 'other';
    const count = counts.get(keyOf(point, object)) ?? { point, object, denials: 0, since: 0 };
    counts.set(keyOf(point, object), count);
    return count;
  }

  function mayLook(nowMs: number): boolean {
    const of = Math.floor(nowMs / 1000);
    if (second.of !== of) Object.assign(second, { of, looked: 0 });
    second.looked += 1;
    return second.looked <= mostPerSecond;
  }

  return {
    remember(policy) {
      earlier.remember(policy, now());
      // There before the first: what begins with its first denial never seems to grow.
      for (const { name } of policy.objects) countOf(policy.point, name);
    },
    look(event) {
      const { point, object, revision, verdict, reason } = event;
      // Half a request is not judged.
      if (verdict !== 'deny' || event.truncated || NOT_COMPARED.has(reason)) return;
      if (!mayLook(now())) {
        notLooked += 1;
        return;
      }
      const allowed = earlier.allowed(point, flowOf(event), revision, now());
      if (allowed === null) return;
      const count = countOf(point, object);
      count.denials += event.count;
      if (count.since === allowed.deniedSince) return;
      count.since = allowed.deniedSince;
      const { source, port, ref } = event;
      logger.warn(
        { event: 'newly_denied', point, object, source, port, ref, ...allowed, revision },
        'a flow is denied that a rule allowed during the last week',
      );
    },
  };
}

function metrics(registry: Registry, counts: ReadonlyMap<string, Count>, notLooked: () => number): void {
  const group = metricGroup(registry);
  group.total(
    'edgeward_newly_denied_total',
    'Denials since this process began of flows that a rule allowed during the last week.',
    ['point', 'object'],
    (say) => {
      for (const { point, object, denials } of counts.values()) say({ point, object }, denials);
    },
  );
  group.gauge(
    'edgeward_newly_denied_since_revision',
    'The revision that took away what the newest of these denials had been allowed by.',
    ['point', 'object'],
    (say) => {
      for (const { point, object, since } of counts.values()) if (since > 0) say({ point, object }, since);
    },
  );
  group.total(
    'edgeward_newly_denied_unchecked_total',
    'Denials that were not compared with what was allowed before, because too many came in one second.',
    [],
    (say) => say({}, notLooked()),
  );
}

const keyOf = (point: string, object: string): string => JSON.stringify([point, object]);
