/**
 * What break-glass stands on. It goes to all points at once, and with it the version before: one that a roll-out halted,
 * returned or has not finished would be everywhere. Whoever wants that names the version.
 */
import type { Approval } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';

/** The newest roll-out: of which version, and how far it is; `none` before the first. */
export interface GlassGround {
  version: number | null;
  state: string;
}

/** Null: nobody rolls anything out. Throws EDW_ERR_ROLLOUT_STATE. */
export function requireGround(payload: Approval, ground: GlassGround | null, onTopOf: number | undefined): void {
  if (payload.breakGlass === null) return;
  const below = payload.version - 1;
  if (onTopOf === below) return;
  if (onTopOf !== undefined) throw refused(below, `it is to be on top of version ${onTopOf}, and stands on ${below}`);
  if (ground === null || (ground.version === below && ground.state === 'done')) return;
  // Between its publication and the first step of its roll-out a version is nowhere yet.
  const word = ground.version === below ? ground.state : 'not begun';
  throw refused(below, `the roll-out of version ${below} is ${word}, and this would put it at every point at once`);
}

function refused(below: number, why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_ROLLOUT_STATE', `publishing break-glass: ${why}`, {
    mend: `Publish a version of everybody that mends it, or add \`--on-top-of ${below}\` if it is to be everywhere.`,
  });
}
