/**
 * Takes every rule and set of ours away, and lets the agent forget its policies, so that no start puts them back. The only way
 * in which they go. Who this host is stays, and which revisions it no longer believes.
 */
import { join } from 'node:path';
import { EdgewardError, takeStateLock } from '@edgeward/runtime';
import { createToolRun, type Removal, removeHost } from '../driver/index.ts';
import { NO_STATE } from './agent-state.ts';
import type { AgentConfig } from './config.ts';
import { openLastKnown } from './last-known.ts';
import { openHost } from './open-host.ts';
import { giveToFolderOwner } from './ownership.ts';

/** Throws EDW_ERR_STATE_IN_USE while the agent runs: it would put back what is taken away. */
export async function removeFromHost(config: AgentConfig, where: readonly string[] = []): Promise<Removal> {
  const { stateDir } = config;
  const unlock = await takeStateLock(stateDir).catch(whileStopped);
  // Of root that is killed here a lock would stay that the agent's user can't read, and takes for another agent's.
  await giveToFolderOwner(join(stateDir, 'lock')).catch(() => {});
  try {
    const { netfilter } = await openHost('', config, createToolRun({ where }));
    // First the rules: whoever needs them gone must not wait for a disk.
    const removal = await removeHost(netfilter);
    const known = await openLastKnown({ stateDir, aud: '', keys: () => [], onDamage: () => {} });
    const { floor, current } = known.state();
    if (floor !== null || current !== null) await known.switchTo({ ...NO_STATE, floor });
    return removal;
  } finally {
    await unlock();
  }
}

/** What can't be locked since nothing can be written, or was never made, is used by nobody else who could. */
function whileStopped(thrown: unknown): () => Promise<void> {
  if (thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_STATE_WRITE') return () => Promise.resolve();
  if (!(thrown instanceof EdgewardError) || thrown.code !== 'EDW_ERR_STATE_IN_USE') throw thrown;
  throw new EdgewardError(thrown.code, `removing the rules of this host: ${thrown.message}`, {
    mend: 'Stop the agent first, it would put them back: systemctl disable --now edgeward-agent',
    cause: thrown,
  });
}
