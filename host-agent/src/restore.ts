/**
 * Puts last-known-good in force and ends: for the moment before a host has a network. Writes no file, asks nobody.
 */
import type { Logger } from '@edgeward/runtime';
import { createToolRun } from '../driver/index.ts';
import type { AgentConfig } from './config.ts';
import { readIdentity } from './identity.ts';
import { readInForce } from './in-force.ts';
import { knownGood } from './known-good.ts';
import { openLastKnown } from './last-known.ts';
import { openHost } from './open-host.ts';
import { createStanding } from './standing.ts';

export interface Restored {
  revision: number;
  hash: string;
  mode: 'enforce' | 'observe' | 'off' | null;
}

/** Null where no policy is known. Throws as the driver does, and EDW_ERR_HOST_TOOL. */
export async function restoreHost(
  config: AgentConfig,
  logger: Logger,
  where: readonly string[] = [],
): Promise<Restored | null> {
  const identity = await readIdentity(config.stateDir);
  if (identity === null) return null;
  const { netfilter, point } = await openHost(identity.point, config, createToolRun({ where }));
  const known = await openLastKnown({
    ...{ stateDir: config.stateDir, aud: identity.point, keys: () => identity.signingKeys },
    onDamage: (words) => logger.error({ event: 'state_damaged' }, words),
  });
  const found = await knownGood(known, await readInForce(netfilter));
  if (found === null) return null;
  await createStanding({ point, netfilter }).put(found.policy, known.state().numberAtLeast);
  return { ...found.ref, mode: found.policy.objects[0]?.mode ?? null };
}
