/**
 * What break-glass would stand on. It goes to all points at once, and with it the version before: one that was halted, or
 * has reached some points only, would be everywhere. How far it is, is the store's word; it only ever makes this stricter.
 */
import { EdgewardError } from '@edgeward/runtime';
import type { Context } from '../../frame/command.ts';
import { usageError } from '../../frame/usage-error.ts';
import type { StoreClient } from '../client/store-client.ts';
import { storeStatusOf } from '../status/store-status.ts';
import { versionArgument } from './change-options.ts';

export interface Ground {
  /** The newest version that was approved in full. */
  version: number;
  /** Of its roll-out, as the store says: `rolling`, `halted`, `returned`, `done`; `not begun` while it is of another one. */
  rollout: string;
}

export async function groundOf(client: StoreClient, version: number): Promise<Ground> {
  const { rollout } = storeStatusOf(await client.status(), client.url);
  return { version, rollout: rollout?.version === version ? rollout.state : 'not begun' };
}

/** As the store decides when it is published: that all points have it, and nothing else. */
export function isSettled({ rollout }: Ground): boolean {
  return rollout === 'done';
}

/** For a reviewer, and for who made it in spite of that. */
export function groundText({ version, rollout }: Ground): string {
  return `as the store says, the roll-out of version ${version} is ${rollout}: this is built on it, and puts it at every point at once`;
}

/** Throws EDW_ERR_ROLLOUT_STATE, EDW_ERR_USAGE. */
export function requireGround(context: Context, ground: Ground, command: string): void {
  const text = context.text('on-top-of');
  const named = text === undefined ? null : versionArgument(text, command);
  const { version, rollout } = ground;
  if (named !== null && named !== version)
    throw usageError(`--on-top-of: version ${version} is the newest that was approved in full, not ${named}`, command);
  if (named !== null || isSettled(ground)) return;
  throw new EdgewardError(
    'EDW_ERR_ROLLOUT_STATE',
    `breaking glass: the roll-out of version ${version} is ${rollout}, and this would put it at every point at once`,
    {
      mend: `Publish a version of everybody that mends it, or add \`--on-top-of ${version}\` if it is to be everywhere.`,
    },
  );
}
