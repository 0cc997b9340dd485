/**
 * What the agent knows over a restart: the policy in force, the one that is being taken over, the one to go back to, and the
 * lowest revision that it still believes. One small file says all of it and is replaced whole; policies stand beside it as the
 * service signed them, and are verified again whenever they are read. Killed anywhere, one whole state is found.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompiledPolicy } from '@edgeward/policy';
import type { PublicKey } from '@edgeward/policy-format';
import {
  EdgewardError,
  makeFolder,
  messageOf,
  readPlainFile,
  systemCodeOf,
  unfinishedSuffix,
  writeDurably,
} from '@edgeward/runtime';
import { MAX_HOST_POLICY_BYTES, openHostPolicy, type PolicyFloor } from '../protocol/index.ts';
import { type AgentState, agentStateOf, NO_STATE, type PolicyRef, samePolicy } from './agent-state.ts';

export interface LastKnown {
  /** What was written last; what a restart would find. */
  state(): AgentState;
  /** The signed bytes, durable before anything names them. Throws EDW_ERR_STATE_WRITE. */
  keep(policy: PolicyRef, signed: Uint8Array): Promise<void>;
  /** Verified; null where it is missing or damaged. */
  policy(ref: PolicyRef): Promise<CompiledPolicy | null>;
  /** Switches to another state. What that does not name goes. Throws EDW_ERR_STATE_WRITE, and nothing has changed. */
  switchTo(next: AgentState): Promise<void>;
  /**
   * The same for what has happened already, whether it can be written or not: what stands on disk is then an older state,
   * whole, and `save` tries again.
   */
  remember(next: AgentState): Promise<void>;
  /** Writes what `remember` could not. False where that still fails. */
  save(): Promise<boolean>;
}

export interface LastKnownOptions {
  stateDir: string;
  /** The point. */
  aud: string;
  /** Whom what is kept is believed of. Asked each time: a renewed identity may name others. */
  keys: () => readonly PublicKey[];
  /** Told of what is there and can't be used: nothing of it is believed. */
  onDamage: (words: string) => void;
}

const STATE = 'state.json';
const FOLDER = 'policies';
const MOST_STATE_BYTES = 1_048_576;

/** Reads, and writes nothing: a full disk keeps nobody from applying what is there. */
export async function openLastKnown({ stateDir, aud, keys, onDamage }: LastKnownOptions): Promise<LastKnown> {
  const path = join(stateDir, STATE);
  const folder = join(stateDir, FOLDER);
  let state = await readState(path, onDamage);

  let unsaved = false;

  async function write(next: AgentState): Promise<void> {
    await makeFolder(stateDir);
    await writeDurably(path, `${JSON.stringify(next)}\n`);
    unsaved = false;
    // Whatever stays by a failure here is swept after the next switch.
    await sweep(stateDir, folder, next).catch(() => {});
  }

  async function save(): Promise<boolean> {
    if (unsaved) await write(state).catch(() => {});
    return !unsaved;
  }

  async function policy(ref: PolicyRef): Promise<CompiledPolicy | null> {
    const file = join(folder, nameOf(ref));
    try {
      // What was believed once is held to signature and name again, and to no floor: going back is going below it.
      const opened = await openHostPolicy(await readPlainFile(file, MAX_HOST_POLICY_BYTES), {
        aud,
        keys: keys(),
        floor: null,
      });
      if (!samePolicy(opened.policy, ref)) throw new Error('it is another policy');
      return opened.policy;
    } catch (thrown) {
      onDamage(`${file}: ${messageOf(thrown)}`);
      return null;
    }
  }

  return {
    state: () => state,
    policy,
    async keep(ref, signed) {
      await makeFolder(folder);
      await writeDurably(join(folder, nameOf(ref)), signed);
    },
    async switchTo(next) {
      await write(next);
      state = next;
    },
    async remember(next) {
      state = next;
      unsaved = true;
      await save();
    },
    save,
  };
}

async function readState(path: string, onDamage: (words: string) => void): Promise<AgentState> {
  try {
    return agentStateOf(JSON.parse((await readPlainFile(path, MOST_STATE_BYTES)).toString()));
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return NO_STATE;
    if (systemCodeOf(thrown) !== null) throw stateReadError(path, thrown);
    onDamage(`${path}: ${messageOf(thrown)}`);
    return NO_STATE;
  }
}

async function sweep(stateDir: string, folder: string, { current, next, probation }: AgentState): Promise<void> {
  const kept = new Set(
    [current, next, probation?.previous ?? null].flatMap((ref) => (ref === null ? [] : [nameOf(ref)])),
  );
  for (const name of await readdir(folder)) if (!kept.has(name)) await rm(join(folder, name), { force: true });
  for (const name of await readdir(stateDir))
    if (name.startsWith(`.${STATE}.`) && name.endsWith(unfinishedSuffix))
      await rm(join(stateDir, name), { force: true });
}

/** No text of a policy names a file. */
function nameOf({ revision, hash }: PolicyRef): string {
  return `${revision}-${hash.slice(0, 16)}.policy`;
}

/** The floor for what comes next: what was believed, and what the kernel says where that was lost. */
export function floorOf({ floor }: AgentState, inKernel: number | null): PolicyFloor | null {
  if (inKernel === null || (floor !== null && floor.revision >= inKernel)) return floor;
  // The kernel's own revision may come again: only what is below it was replaced.
  return { revision: inKernel - 1, hash: '' };
}

function stateReadError(path: string, cause: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_STATE_READ', `reading ${path}: ${messageOf(cause)}`, {
    mend: 'Let the user that runs the agent read this file.',
    cause,
  });
}
