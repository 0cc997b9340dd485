/** What is remembered about a point for its status: when, how often, and what stands in the way. It decides nothing. */
import type { EdgewardError } from '@edgeward/runtime';
import type { PointState, PointStatus } from './point-status.ts';
import { isWhole, type Knowledge, type PlanRules } from './reconciler-plan.ts';

export interface PointRecord {
  desired(): void;
  pushing(underWay: boolean): void;
  applied(): void;
  checked(): void;
  drifted(changes: string[], action: PlanRules['onDrift']): void;
  refilled(): void;
  succeeded(): void;
  /** Whether the same failure stood already. */
  failed(error: EdgewardError, isAttempt: boolean): boolean;
  status(): PointStatus;
  /** Whether the status, but for `lastCheckedAt`, differs from when this was last asked. */
  changed(): boolean;
}

type Derived = 'state' | 'desiredRevision' | 'desiredHash' | 'appliedRevision' | 'appliedHash' | 'unfinished';

export function createPointRecord(point: string, known: Knowledge, now: () => number): PointRecord {
  const record: Omit<PointStatus, Derived> = {
    point,
    desiredAt: null,
    appliedAt: null,
    lastCheckedAt: null,
    drift: { count: 0, last: null },
    refills: 0,
    attempts: 0,
    lastError: null,
  };
  let isPushing = false;
  let told = '';

  function status(): PointStatus {
    return {
      ...record,
      drift: { ...record.drift },
      state: stateOf(known, isPushing, record.lastError?.code ?? null),
      desiredRevision: known.desired?.revision ?? null,
      desiredHash: known.desired?.hash ?? null,
      appliedRevision: known.held?.revision ?? null,
      appliedHash: known.held?.hash ?? null,
      unfinished: known.unfinished,
    };
  }

  return {
    status,
    desired() {
      record.desiredAt = now();
    },
    pushing(underWay) {
      isPushing = underWay;
    },
    applied() {
      record.appliedAt = now();
      record.lastCheckedAt = now();
    },
    checked() {
      record.lastCheckedAt = now();
    },
    drifted(changes, action) {
      record.drift = { count: record.drift.count + 1, last: { at: now(), changes, action } };
    },
    refilled() {
      record.refills += 1;
    },
    succeeded() {
      record.attempts = 0;
      record.lastError = null;
    },
    failed(error, isAttempt) {
      const repeated = record.lastError?.code === error.code;
      if (isAttempt) record.attempts += 1;
      record.lastError = { code: error.code, message: error.message, mend: error.mend, at: now() };
      return repeated;
    },
    changed() {
      const current = JSON.stringify({ ...status(), lastCheckedAt: null });
      const differs = current !== told;
      told = current;
      return differs;
    },
  };
}

function stateOf(known: Knowledge, isPushing: boolean, errorCode: string | null): PointState {
  if (known.desired === null) return 'no-policy';
  if (isPushing) return 'applying';
  if (errorCode !== null) return errorCode === 'EDW_ERR_POINT_UNREACHABLE' ? 'unreachable' : 'behind';
  if (known.settled !== known.desired || known.held === null) return 'applying';
  return isWhole(known, known.desired) ? 'current' : 'behind';
}
