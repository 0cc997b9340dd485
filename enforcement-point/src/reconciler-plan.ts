/**
 * What a reconciler does next, as a pure function of what it knows and the time. The reconciler does it and writes down
 * what came of it; it decides nothing by itself.
 */
import type { CompiledPolicy } from '@edgeward/policy';

export interface Knowledge {
  desired: CompiledPolicy | null;
  /** The desired policy that was once seen true at the point; what differs from it later was changed behind our back. */
  settled: CompiledPolicy | null;
  /** What the point was last known to hold. */
  held: { revision: number; hash: string } | null;
  /** Changes that the last look found; empty after a push. */
  changes: string[];
  /** What the last look found left undone by a push. */
  unfinished: string[];
  /** `pushed`: as we left it, not looked at since. A restart in between would be missed without one more look. */
  certainty: 'unknown' | 'pushed' | 'seen';
  /** The probe's answer that goes with `seen`. */
  token: string | null;
  /** The last push failed, so what differs now may be its own half: no drift. */
  interrupted: boolean;
  /** A repair was made and no look since found the point whole. */
  repairing: boolean;
  /** A push was made to finish what was left undone, and no look since found nothing left. */
  finishing: boolean;
  /** The last probe failed: only a probe that succeeds, or a new desire, is reason to try again. */
  silent: boolean;
  /** No attempt before this time. */
  retryAtMs: number;
  /** What is unfinished waited: somebody may have changed the point meanwhile, so it is looked at before it is pushed. */
  lookFirst: boolean;
  driftCheckAtMs: number;
  probeAtMs: number;
}

export type Step =
  | { do: 'look' }
  | { do: 'push'; policy: CompiledPolicy }
  | { do: 'probe' }
  | { do: 'wait'; untilMs: number };

/** `freeze`: nothing at all is written any more, new policies included, until the point is again as it was left. */
export type OnDrift = 'repair' | 'report' | 'freeze';

export interface PlanRules {
  /** What is done about changes made by hand; an empty point is filled either way. */
  onDrift: OnDrift;
  /** Infinity for a point that cannot be probed. */
  probeIntervalMs: number;
  driftCheckIntervalMs: number;
}

export function initialKnowledge(): Knowledge {
  return {
    desired: null,
    settled: null,
    held: null,
    changes: [],
    unfinished: [],
    certainty: 'unknown',
    token: null,
    interrupted: false,
    repairing: false,
    finishing: false,
    silent: false,
    retryAtMs: 0,
    lookFirst: false,
    driftCheckAtMs: Number.POSITIVE_INFINITY,
    probeAtMs: Number.POSITIVE_INFINITY,
  };
}

export function nextStep(known: Readonly<Knowledge>, rules: PlanRules, nowMs: number): Step {
  const { desired } = known;
  if (desired === null) return { do: 'wait', untilMs: Number.POSITIVE_INFINITY };
  const { probeAtMs } = known;
  if (known.silent || nowMs < known.retryAtMs) {
    if (nowMs >= probeAtMs) return { do: 'probe' };
    return { do: 'wait', untilMs: known.silent ? probeAtMs : Math.min(known.retryAtMs, probeAtMs) };
  }
  if (known.certainty === 'unknown' || known.lookFirst) return { do: 'look' };
  if (mustPush(known, desired, rules)) return { do: 'push', policy: desired };
  if (nowMs >= known.driftCheckAtMs) return { do: 'look' };
  if (nowMs >= probeAtMs) return { do: known.certainty === 'pushed' ? 'look' : 'probe' };
  return { do: 'wait', untilMs: Math.min(known.driftCheckAtMs, probeAtMs) };
}

export function mustPush(known: Knowledge, desired: CompiledPolicy, rules: PlanRules): boolean {
  // An empty point denies everyone: it is filled even where drift is only reported.
  if (known.held === null) return true;
  if (isFrozen(known, rules)) return false;
  if (known.settled !== desired) return true;
  if (rules.onDrift === 'repair') return !isWhole(known, desired) || isUnfinished(known);
  // What is left undone is nobody's change; what somebody changed as well, a push would undo.
  return isWhole(known, desired) && isUnfinished(known);
}

/** Whether somebody's changes stand at a point that is then to be left alone. What our own push left undone is no such change. */
export function isFrozen(known: Knowledge, rules: PlanRules): boolean {
  if (rules.onDrift !== 'freeze' || known.interrupted || known.held === null) return false;
  return known.changes.length > 0 || (known.settled !== null && known.held.hash !== known.settled.hash);
}

function isUnfinished({ certainty, unfinished }: Knowledge): boolean {
  return certainty === 'seen' && unfinished.length > 0;
}

/** Whether the point holds what is desired, and nothing of it was changed. */
export function isWhole(known: Knowledge, desired: CompiledPolicy): boolean {
  return known.held?.hash === desired.hash && known.changes.length === 0;
}
