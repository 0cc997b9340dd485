/**
 * Puts last-known-good in force and ends: for the moment before a host has a network. Asks nobody, and writes no file but the lock
 * that it gives back. Where an agent runs it leaves everything to that.
 */
import type { Logger } from '@edgeward/runtime';
import { createToolRun } from '../driver/index.ts';
import { takeAgentLock } from './agent-lock.ts';
import type { AgentConfig } from './config.ts';
import { type Identity, keysOfKept, readIdentity } from './identity.ts';
import { readInForce } from './in-force.ts';
import { knownGood } from './known-good.ts';
import { openLastKnown } from './last-known.ts';
import { type OpenHost, openHost } from './open-host.ts';
import { createStanding } from './standing.ts';

export interface Restored {
  revision: number;
  hash: string;
  mode: 'enforce' | 'observe' | 'off' | null;
}

/** Null where no policy is known; `in-use` where another process has the state folder. Throws as the driver does, and EDW_ERR_HOST_TOOL. */
export async function restoreHost(
  config: AgentConfig,
  logger: Logger,
  where: readonly string[] = [],
): Promise<Restored | 'in-use' | null> {
  const identity = await readIdentity(config.stateDir);
  if (identity === null) return null;
  const lock = await takeAgentLock(config.stateDir);
  if (lock.state === 'in-use') {
    logger.info({ event: 'state_in_use' }, lock.cause.message);
    return 'in-use';
  }
  if (lock.state !== 'held') logger.error({ event: 'state_not_locked', code: lock.cause.code }, lock.cause.message);
  try {
    return await restore(identity, config, logger, await openHost(identity.point, config, createToolRun({ where })));
  } finally {
    if (lock.state === 'held') await lock.release().catch(() => {}); // a lock of a process that has ended holds nobody up
  }
}

async function restore(
  identity: Identity,
  config: AgentConfig,
  logger: Logger,
  { netfilter, point }: OpenHost,
): Promise<Restored | null> {
  const known = await openLastKnown({
    ...{ stateDir: config.stateDir, aud: identity.point, keys: () => keysOfKept(identity) },
    onDamage: (words) => logger.error({ event: 'state_damaged' }, words),
  });
  const found = await knownGood(known, await readInForce(netfilter));
  if (found === null) return null;
  try {
    await createStanding({ point, netfilter }).put(found.policy, found.numberAtLeast);
  } finally {
    // What is left to be taken away goes now, or with the next apply: not when the lock is another's.
    await point.close();
  }
  return { ...found.ref, mode: found.policy.objects[0]?.mode ?? null };
}
