import type { OnDrift } from './reconciler-plan.ts';

/** How a point stands, as `edgeward status`, `/readyz` and the metrics read it. All times are milliseconds. */

/**
 * `current`: holds what is desired. `applying`: a push is due or under way. `behind`: reachable, but holds something else
 * (the last error or the drift says why). `unreachable`: keeps what it had. `no-policy`: nothing is desired yet.
 */
export type PointState = 'current' | 'applying' | 'behind' | 'unreachable' | 'no-policy';

export interface PointError {
  code: string;
  message: string;
  mend: string;
  at: number;
}

export interface PointStatus {
  point: string;
  state: PointState;
  desiredRevision: number | null;
  desiredHash: string | null;
  /** What the point was last known to hold; null when empty or never reached. */
  appliedRevision: number | null;
  appliedHash: string | null;
  desiredAt: number | null;
  /** When the point last took a revision from here. */
  appliedAt: number | null;
  /** When the point last said what it holds. */
  lastCheckedAt: number | null;
  drift: {
    /** How often something was found changed behind our back since the start. */
    count: number;
    last: { at: number; changes: string[]; action: OnDrift } | null;
  };
  /** What a push left undone at the last look: the policy is in force, and might not outlive a restart or a failover. */
  unfinished: string[];
  /** How often the point was found empty after it had held a policy: mostly restarts. */
  refills: number;
  /** Failed attempts since the last success. */
  attempts: number;
  /** The failure that stands; null again after the next success. */
  lastError: PointError | null;
}
