import type { PointRules } from '@edgeward/policy';
import type { Approval, SliceApproval } from './approval.ts';
import { canonicalJson } from './canonical-json.ts';
import type { Cursor } from './delta.ts';
import type { Digest } from './digest.ts';
import type { Head } from './head.ts';
import type { MemberBook } from './member-book.ts';
import type { SignedDocument } from './signing.ts';

/**
 * What one point holds after everything about it was verified, and what it remembers so that nobody takes it back. Never
 * changed: the next state is another one.
 */
export interface PointState {
  head: Head;
  signedHead: SignedDocument;
  approval: HeldApproval;
  rules: PointRules;
  /** Under a break-glass approval: what is in force again when it ends. */
  base: { approval: HeldApproval; rules: PointRules } | null;
  book: MemberBook;
}

export interface HeldApproval {
  approval: Approval;
  /** Of its payload: what a version is called by. */
  digest: Digest;
  slice: SliceApproval;
}

/**
 * What is kept apart from the state, and longer: below it nothing is taken over any more, also when the state is lost.
 * Written after the state, and before the point is told.
 */
export interface Floor {
  epoch: number;
  revision: number;
  stateRoot: Digest;
  issuedAt: string;
  /** Digest of the payload of that head. */
  head: Digest;
  /** The approval of the highest version that was ever taken over here. */
  newest: { version: number; digest: Digest; previous: Digest | null; returnUntil: string | null };
  /**
   * Digests of payloads of approvals that were taken over here, the one that is held last, at most `MAX_ACCEPTED`. These
   * stay good when the keys that signed them are gone.
   */
  accepted: Digest[];
}

export const MAX_ACCEPTED = 16;

/** What is to be compiled now, and until when; null: until something else is taken over. */
export interface EffectiveRules {
  rules: PointRules;
  approval: HeldApproval;
  untilMs: number | null;
}

/** When a break-glass approval ends, the version before is in force again, store or no store. */
export function effectiveRules(state: PointState, nowMs: number): EffectiveRules {
  const { rules, approval, base } = state;
  const { breakGlass } = approval.approval;
  if (breakGlass === null || base === null) return { rules, approval, untilMs: null };
  const endsAtMs = Date.parse(breakGlass.endsAt);
  return nowMs < endsAtMs ? { rules, approval, untilMs: endsAtMs } : { ...base, untilMs: null };
}

export function cursorOf({ head }: PointState): Cursor {
  return { epoch: head.epoch, revision: head.revision, stateRoot: head.stateRoot };
}

/** The blob that a head names. */
export function sliceBytes(slice: SliceApproval): Buffer {
  return Buffer.from(canonicalJson(slice));
}
