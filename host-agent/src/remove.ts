/**
 * Takes every rule and set of ours away, and lets the agent forget its policies, so that no start puts them back. The only way
 * in which they go. Who this host is stays, and which revisions it no longer believes.
 */
import { join } from 'node:path';
import { EdgewardError, takeStateLock } from '@edgeward/runtime';
import {
  createNetfilter,
  createToolRun,
  findNetfilter,
  type Removal,
  type RunTool,
  removeHost,
} from '../driver/index.ts';
import { NO_STATE } from './agent-state.ts';
import type { AgentConfig } from './config.ts';
import { openLastKnown } from './last-known.ts';
import { giveToFolderOwner } from './ownership.ts';

/** Throws EDW_ERR_STATE_IN_USE while the agent runs: it would put back what is taken away. */
export async function removeFromHost(config: AgentConfig, where: readonly string[] = []): Promise<Removal> {
  const { stateDir } = config;
  const unlock = await takeStateLock(stateDir).catch(whileStopped);
  // Of root that is killed here a lock would stay that the agent's user can't read, and takes for another agent's.
  await giveToFolderOwner(join(stateDir, 'lock')).catch(() => {});
  try {
    // First the rules, wherever they stand: whoever needs them gone must not wait for a disk.
    const removal = await removeEverywhere(createToolRun({ where }));
    const known = await openLastKnown({ stateDir, aud: '', keys: () => [], onDamage: () => {} });
    const { floor, current } = known.state();
    if (floor !== null || current !== null) await known.switchTo({ ...NO_STATE, floor });
    return removal;
  } finally {
    await unlock();
  }
}

/** Whatever is configured: an agent that was told of another backend may have left rules in both. */
async function removeEverywhere(run: RunTool): Promise<Removal> {
  const { netfilter, ours } = await findNetfilter(run);
  const all: Removal = { rules: 0, sets: 0, left: [] };
  for (const backend of new Set([...ours, netfilter.backend])) {
    const { rules, sets, left } = await removeHost(createNetfilter(backend, run, netfilter.families));
    all.rules += rules;
    all.sets += sets;
    // Sets are the same for both: those of the last are what is left.
    all.left = [...all.left.filter((words) => words.startsWith('chain ')), ...left];
  }
  return all;
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
