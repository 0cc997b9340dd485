/**
 * What the agent is put together from, as its parts see each other. The core applies policies; a guard keeps what was applied
 * as it was; denials are counted, named and sent. Neither of the two decides which policy is in force.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import type { DenyCounter } from '../driver/index.ts';
import type { HostOutgoing } from '../protocol/host-report.ts';

/**
 * Keeps rules and sets as they were applied. It repairs by applying the policy it was last told of, and nothing else.
 */
export interface Guard {
  /** An apply of ours begins: until `policyApplied` nothing is looked at or repaired, whatever changes. */
  pause(): void;
  /**
   * This policy is in force from now on, also where an apply failed and the one before stays. Null: none is, and nothing is
   * repaired. Looking at it begins at once.
   */
  policyApplied(policy: CompiledPolicy | null): void;
  status(): GuardStatus;
  /** What is in force stays. Never rejects. */
  close(): Promise<void>;
}

export interface GuardStatus {
  /** `contended`: somebody undoes every repair, and repairs come with pauses. */
  state: 'watching' | 'contended';
  /** What is found changed and not repaired, in words. */
  drift: string[];
  repairs: { count: number; last: { at: string; words: string; process: string | null } | null };
  /** What can't be watched, and why. */
  warnings: string[];
}

/** Exact counts of what was denied, samples named by the policy they were taken under, and their way to the service. */
export interface Denials {
  /** An apply of this policy begins. What goes with the rules that it replaces is read first. Never rejects. */
  policyComing(policy: CompiledPolicy): Promise<void>;
  /**
   * This policy judges from now on, under this generation of marks; null: nothing does. It is the policy as it is in the
   * kernel: where enforcing was refused, its object's mode is `observe` and its hash another one than was served. `sampled` is
   * what samples of it carry: 8 hex of its hash, or of an earlier policy's whose rules it shares since only members came.
   */
  policyApplied(policy: CompiledPolicy | null, generation: number, sampled: string): void;
  /** The last that is known of counters that are about to go, which nobody else can tell any more. */
  countersRetired(counters: readonly DenyCounter[]): void;
  /** As last read: nothing is asked for it. */
  counters(): DenialCounters;
  /** When the oldest denial that waits in the spool happened; null: none waits. */
  waitingSinceMs(): number | null;
  /** What the host began itself, since the agent's state began; read along with the counters of denials, and never judged. */
  outgoing(): HostOutgoing;
  warnings(): string[];
  /** What is in the spool stays there. Never rejects. */
  close(): Promise<void>;
}

/** Since the agent's state began, except `pending`. */
export interface DenialCounters {
  denied: number;
  sampled: number;
  notSampled: number;
  netlinkDrops: number;
  /** Records in the spool that the service has not acknowledged. */
  pending: number;
  gaps: number;
}

/**
 * Sends one batch, gzip of NDJSON. Resolves to what the service has stored. Throws EDW_ERR_SERVICE_UNREACHABLE,
 * EDW_ERR_SERVICE_BUSY (with what it asked for), EDW_ERR_SERVICE_ANSWER.
 */
export type SendDenials = (gzipped: Uint8Array) => Promise<{ epoch: string; acknowledged: number }>;
