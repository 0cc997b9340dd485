/**
 * One roll-out: which version goes to which points, how far it is, and what became of it. This is all that is remembered;
 * whoever has it, the newest reports and the time knows what comes next. It is never changed: the next state is another one.
 */
import type { Digest } from '@edgeward/policy-format';

export interface RolloutState {
  format: 1;
  version: number;
  /** Of the approval's payload. */
  digest: Digest;
  startedMs: number;
  /** Points that took it over may be pointed back at the version before until then; null: never. */
  returnUntilMs: number | null;
  /** As people read them. */
  waves: string[];
  /** Why it went to all points at once. */
  atOnce: 'break-glass' | 'restore' | 'state-lost' | null;
  phase: Phase;
  confirm: Confirm | null;
  /** Enforced for the first time by a version that this one went over at once, and confirmed by nobody. */
  unconfirmed: string[];
  /** Points that a person let pass, whatever is wrong with them. */
  excused: string[];
  points: { [point: string]: PointPlan };
}

type Phase =
  /** Points of the waves up to this one have the version, or are about to. */
  | { is: 'rolling'; wave: number; sinceMs: number }
  | { is: 'halted'; wave: number; atMs: number; by: string; why: string; trouble: Trouble[] }
  /** Every point that could go back went back. */
  | { is: 'returned'; wave: number; atMs: number; by: string; why: string; trouble: Trouble[] }
  | { is: 'done'; atMs: number };

/** Objects that are enforced for the first time wait for a person. */
export interface Confirm {
  objects: string[];
  /** When the last wave had applied it, the time runs; null before. */
  dueMs: number | null;
  by: string | null;
}

export interface PointPlan {
  /** The first wave that it belongs to. */
  wave: number;
  /** The version that it had; null: none. */
  from: number | null;
  /** Whether its rules are others than before. Otherwise there is nothing to wait for. */
  changed: boolean;
  /** The version has nothing for it: it is dropped when the roll-out is done. */
  gone: boolean;
  /** When it was given the version; null: it has the one before. */
  movedMs: number | null;
  /** Denials an hour before it was moved. */
  deniedPerHour: number;
}

export interface Trouble {
  point: string | null;
  kind: 'nack' | 'not-applied' | 'denials' | 'silent' | 'unconfirmed';
  message: string;
}

/** So that points hear of a return while they may still go back. */
export const RETURN_MARGIN_MS = 60_000;

/** Whether a point is to have the new version. */
function isMoved(plan: PointPlan): boolean {
  return plan.movedMs !== null;
}

/** The version that each point is to have; a point without one is not among them. */
export function assigned({ version, phase, points }: RolloutState): Map<string, number> {
  const out = new Map<string, number>();
  for (const [point, plan] of Object.entries(points)) {
    if (plan.gone && phase.is === 'done') continue;
    const held = isMoved(plan) ? version : plan.from;
    if (held !== null) out.set(point, held);
  }
  return out;
}

export type WayBack =
  | { state: 'open'; untilMs: number }
  /** The first version; approved without a way back; its time has passed; no point came from the version before. */
  | { state: 'closed'; why: 'first' | 'not-approved' | 'over' | 'not-from-there' };

/** A point believes the version right before the newest that it took over, and no older one. */
export function canReturn(state: RolloutState, plan: PointPlan): boolean {
  return isMoved(plan) && plan.from === state.version - 1;
}

export function wayBack(state: RolloutState, nowMs: number): WayBack {
  const { version, returnUntilMs, points } = state;
  if (version === 1) return { state: 'closed', why: 'first' };
  if (returnUntilMs === null) return { state: 'closed', why: 'not-approved' };
  const untilMs = returnUntilMs - RETURN_MARGIN_MS;
  if (nowMs > untilMs) return { state: 'closed', why: 'over' };
  const isFromThere = Object.values(points).some((plan) => !plan.gone && plan.from === version - 1);
  if (!isFromThere) return { state: 'closed', why: 'not-from-there' };
  return { state: 'open', untilMs };
}

export const WAY_BACK_IN_WORDS: { [why in Extract<WayBack, { state: 'closed' }>['why']]: string } = {
  first: 'there is no version before it',
  'not-approved': 'it was approved without a way back',
  over: 'the time that was approved for a way back is over',
  'not-from-there': 'no point comes from the version right before it',
};
