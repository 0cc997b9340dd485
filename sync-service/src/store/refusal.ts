/** Whether a point refuses a policy, as a store is told: a roll-out stops because of it, and takes the version back. */
import type { PointStatus } from '@edgeward/enforcement-point';
import type { Nack } from '@edgeward/policy-format';

/** Characters of an error that the store is told; what a box answers can be longer than a report may be. */
const MAX_TOLD = 1000;

/**
 * Another service was quicker at this point, by one push or by one revision. Nothing is wrong with the policy, and `applied`
 * tells what the point holds; a point that never gets there is told by the time that the roll-out gives it.
 */
const OF_ANOTHER_SERVICE = new Set(['EDW_ERR_REVISION_OLDER', 'EDW_ERR_POINT_TAKEN']);

type Standing = Pick<PointStatus, 'state' | 'desiredRevision' | 'lastError'>;

export function refusalOf({ state, desiredRevision, lastError }: Standing): Nack | null {
  if (state !== 'behind' || lastError === null || OF_ANOTHER_SERVICE.has(lastError.code)) return null;
  const { code, message } = lastError;
  return { revision: desiredRevision ?? 0, stage: 'apply', code, message: message.slice(0, MAX_TOLD) };
}
