/**
 * Takes every rule and set of ours away, and lets the agent forget its policies, so that no start puts them back. The only way
 * in which they go. Who this host is stays, and which revisions it no longer believes.
 */
import { EdgewardError } from '@edgeward/runtime';
import { createNetfilter, createToolRun, findRules, type Removal, type RunTool, removeHost } from '../driver/index.ts';
import { takeAgentLock } from './agent-lock.ts';
import { NO_STATE } from './agent-state.ts';
import type { AgentConfig } from './config.ts';
import { asOwnerOf } from './folder-owner.ts';
import { openLastKnown } from './last-known.ts';

/**
 * Throws EDW_ERR_STATE_IN_USE while the agent runs: it would put back what is taken away. Where its policies can't be forgotten
 * the rules are gone all the same; then it throws what keeps it from that.
 */
export async function removeFromHost(config: AgentConfig, where: readonly string[] = []): Promise<Removal> {
  const { stateDir } = config;
  const lock = await takeAgentLock(stateDir);
  if (lock.state === 'in-use') throw whileRunning(lock.cause);
  try {
    // First the rules, wherever they stand: whoever needs them gone must not wait for a disk.
    const removal = await removeEverywhere(createToolRun({ where }));
    if (lock.state !== 'held')
      removal.left.push(`a lock that can't be ${NOT_HELD[lock.state]} (${lock.cause.message}): ${IF_IT_RUNS}`);
    await asOwnerOf(stateDir, () => forget(stateDir)).catch(notForgotten);
    return removal;
  } finally {
    if (lock.state === 'held') await lock.release().catch(() => {}); // of a process that has ended it holds nobody up
  }
}

const NOT_HELD = { unreadable: 'read', unwritable: 'taken' };
const IF_IT_RUNS = 'an agent that runs puts the rules back';

async function forget(stateDir: string): Promise<void> {
  const known = await openLastKnown({ stateDir, aud: '', keys: () => [], onDamage: () => {} });
  const { floor, current } = known.state();
  if (floor !== null || current !== null) await known.switchTo({ ...NO_STATE, floor });
}

function notForgotten(thrown: unknown): never {
  if (!(thrown instanceof EdgewardError)) throw thrown;
  throw new EdgewardError(thrown.code, `the rules are gone, and a start would put them back: ${thrown.message}`, {
    mend: `Leave the agent stopped. ${thrown.mend} Then run this again.`,
    cause: thrown,
  });
}

/** Whatever is configured: an agent that was told of another backend may have left rules in both. */
async function removeEverywhere(run: RunTool): Promise<Removal> {
  const { netfilter, ours } = await findRules(run);
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

function whileRunning(cause: EdgewardError): EdgewardError {
  return new EdgewardError(cause.code, `removing the rules of this host: ${cause.message}`, {
    mend: 'Stop the agent first, it would put them back: systemctl disable --now edgeward-agent. Where none runs, delete the file `lock` of this folder.',
    cause,
  });
}
