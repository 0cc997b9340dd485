import type { FollowerStatus } from '@edgeward/policy-feed';
import type { Evidence } from './hosts/evidence-routes.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import type { Given } from './store/given-versions.ts';

/** Where policy comes from, and what of it is in force. */
export interface PolicySource {
  policy: PolicyInForce;
  /** Of a directory; null: a central store decides. */
  directory: string | null;
  /** The name of a central store. */
  store: string | null;
  /** Of a central store: how each point follows it. */
  followers(): FollowerStatus[];
  /** Of a central store: the approved version that a policy is of which this point was given; null where it is not known. */
  versionOf(point: string, policy: Given): number | null;
  /** Of a central store: what hosts verify approvals by; null: there is none. */
  evidence: Evidence | null;
  /** With what was last known in force when it resolves, or what is there now; from then on it is followed. */
  start(): Promise<void>;
  /** Waits for what is being written. */
  close(): Promise<void>;
}
