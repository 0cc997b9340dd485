import type { DenyEvent, Labels } from '@edgeward/audit-collector';
import { type Flow, nearestRule } from '@edgeward/policy';
import type { PolicyInForce } from './policy-in-force.ts';

/** Gives deny events their names: labels of both ends as of the event's revision, and the rule that came nearest. */
export function eventLabels(policy: PolicyInForce): Labels {
  return {
    source(point, address, revision) {
      const known = policy.identities(point, revision);
      if (known === null) return { workloads: [], networks: [], labels: {}, revision: null };
      const { workloads, networks, labels } = known.identities.identify(address);
      return { workloads, networks, labels, revision: known.revision };
    },
    object(point, bind, revision) {
      const object = policy.identities(point, revision)?.identities.objectAt(point, bind) ?? null;
      return object === null ? null : { name: object.name, labels: { ...object.labels } };
    },
    nearest(event) {
      const identities = policy.identities(event.point, event.revision)?.identities;
      const object = identities?.object(event.object) ?? null;
      const near =
        identities === undefined || object === null || event.rule !== null
          ? null
          : nearestRule(identities, object, flowOf(event));
      return { nearestRule: near?.rule ?? null, missed: near?.missed ?? null };
    },
  };
}

/** The flow that an event records, for judging it again. */
export function flowOf(event: DenyEvent): Flow {
  return {
    from: event.source,
    to: event.object,
    port: event.port,
    ...(event.method === null ? {} : { method: event.method }),
    ...(event.path === null ? {} : { path: event.path }),
    ...(event.host === null ? {} : { host: event.host }),
  };
}
