import { sliceApprovalOf } from './approval.ts';
import type { Digest } from './digest.ts';
import type { GoodSignatures } from './good-signatures.ts';
import { type Floor, type HeldApproval, MAX_ACCEPTED } from './point-state.ts';
import { refused } from './refusal.ts';
import { verifySlice } from './slice-tree.ts';
import type { TrustRoot } from './trust-root.ts';
import { verifyApproval } from './verified-approval.ts';

/** Whether people stand behind what a head names for this point, and whether it may follow what was there. */
export interface ApprovalTask {
  bytes: Uint8Array;
  rulesDigest: Digest;
  point: string;
  root: TrustRoot;
  floor: Floor | null;
  nowMs: number;
  signatures?: GoodSignatures;
}

/** Throws EDW_ERR_FORMAT_…, EDW_ERR_APPROVAL_…; of these EDW_ERR_APPROVAL_SLICE itself. */
export async function readApproval(task: ApprovalTask): Promise<HeldApproval> {
  const slice = sliceApprovalOf(task.bytes);
  const { approval, digest } = await verifyApproval({
    document: slice.approval,
    root: task.root,
    accepted: (it) => task.floor?.accepted.includes(it) ?? false,
    nowMs: task.nowMs,
    ...(task.signatures === undefined ? {} : { signatures: task.signatures }),
  });
  const { index, path } = slice;
  if (!verifySlice(approval.slices, { point: task.point, rulesDigest: task.rulesDigest, index, path }))
    throw refused(
      'EDW_ERR_APPROVAL_SLICE',
      `version ${approval.version} was approved with other rules for '${task.point}'`,
    );
  return { approval, digest, slice };
}

/** Forward, or back as far as the newest one lets go. Throws EDW_ERR_APPROVAL_ROLLBACK. */
export function checkVersion({ approval, digest }: HeldApproval, floor: Floor | null, nowMs: number): void {
  if (floor === null || approval.version > floor.newest.version) return;
  const { newest, accepted } = floor;
  if (digest === newest.digest || digest === accepted.at(-1)) return;
  const returnable = newest.returnUntil !== null && nowMs <= Date.parse(newest.returnUntil);
  if (digest === newest.previous && returnable) return;
  throw refused(
    'EDW_ERR_APPROVAL_ROLLBACK',
    `version ${approval.version} was to follow version ${newest.version}, which does not let it`,
  );
}

/**
 * What a break-glass approval stands in for is the version before it, fully approved. Whoever signs one alone says what
 * `previous` is: were it any version that people ever approved, one stolen key could bring back a policy of last year for
 * good, or number itself beyond every version to come. Throws EDW_ERR_APPROVAL_BASE.
 */
export function checkBase({ approval }: HeldApproval, base: HeldApproval | null, floor: Floor | null): void {
  const refuse = (problem: string): Error => refused('EDW_ERR_APPROVAL_BASE', `version ${approval.version} ${problem}`);
  if (approval.breakGlass === null) {
    if (base !== null) throw refuse('is no break-glass, and is to have something in its place when it ends');
    return;
  }
  if (base === null) throw refuse('is break-glass, and nothing is to be in force when it ends');
  if (base.digest !== approval.previous)
    throw refuse('is break-glass, and another one than the version before follows it');
  if (base.approval.breakGlass !== null) throw refuse('is break-glass, and so is what follows it');
  if (base.approval.version !== approval.version - 1)
    throw refuse(`is break-glass, and what follows it is version ${base.approval.version}`);
  if (floor !== null && base.approval.version === floor.newest.version && base.digest !== floor.newest.digest)
    throw refuse('is break-glass, and what follows it is another one than was taken over here');
}

/** What is remembered once these were taken over. */
export function acceptedAfter(floor: Floor | null, held: HeldApproval, base: HeldApproval | null): Digest[] {
  const now = base === null ? [held.digest] : [base.digest, held.digest];
  const before = (floor?.accepted ?? []).filter((digest) => !now.includes(digest));
  return [...before, ...now].slice(-MAX_ACCEPTED);
}
