/**
 * What a follower begins with: the trust roots since the pinned one, and the last-known-good state, verified again as if a
 * stranger had written it. The newest, or the one before where that is damaged, or none; never something unverified. The
 * floor is that of the newest, whichever is loaded.
 */
import {
  type Accepted,
  digestOfPayload,
  type Floor,
  type PointState,
  restoreState,
  type SignedDocument,
  type TrustRoot,
  verifyNextRoot,
} from '@edgeward/policy-format';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { Memory } from '../state/memory.ts';
import type { Kept, PointFolder } from '../state/point-folder.ts';
import type { Witness } from '../state/witness.ts';

export interface Restored {
  root: TrustRoot;
  floor: Floor | null;
  witness: Witness | null;
  state: PointState | null;
  /** Whether the floor on disk is this one: a process that was killed between state and floor left an older one. */
  floorOnDisk: boolean;
}

interface RestoreTask {
  point: string;
  folder: PointFolder;
  pinnedRoot: TrustRoot;
  logger: Logger;
  nowMs: number;
}

export async function restore(task: RestoreTask): Promise<Restored> {
  const { folder } = task;
  const root = await newestRoot(task);
  const memories = await folder.memories();
  const floors = [floorOf(memories.newest, task), floorOf(memories.previous, task)];
  const witness = memoryOf(memories.newest)?.witness ?? memoryOf(memories.previous)?.witness ?? null;
  const kept = floors[0] ?? floors[1] ?? null;
  const heads = await folder.heads();
  const newest = await loaded(task, heads.newest, root, floors);
  if (newest !== null) return found(root, witness, newest.state, newest.floor, floors);
  const previous = await loaded(task, heads.previous, root, floors);
  if (previous === null) return found(root, witness, null, kept, floors);
  const { revision } = previous.state.head;
  task.logger.error({ event: 'state_of_before', point: task.point, revision }, 'the newest state can not be used');
  return found(root, witness, previous.state, kept ?? previous.floor, floors);
}

function found(
  root: TrustRoot,
  witness: Witness | null,
  state: PointState | null,
  floor: Floor | null,
  floors: readonly (Floor | null)[],
): Restored {
  return { root, witness, state, floor, floorOnDisk: floor?.head === floors[0]?.head };
}

async function newestRoot({ folder, pinnedRoot, logger, point }: RestoreTask): Promise<TrustRoot> {
  let root = pinnedRoot;
  for (const document of await folder.roots(pinnedRoot.version)) {
    try {
      root = await verifyNextRoot(root, document);
    } catch (thrown) {
      logger.error({ event: 'state_damaged', point, what: `root ${root.version + 1}` }, messageOf(thrown));
      return root;
    }
  }
  return root;
}

/** Null for none, and for one that can't be used. */
async function loaded(
  task: RestoreTask,
  head: Kept<SignedDocument>,
  root: TrustRoot,
  floors: readonly (Floor | null)[],
): Promise<Accepted | null> {
  const { point, folder, logger, nowMs } = task;
  if (head.state === 'damaged') logger.error({ event: 'state_damaged', point, what: 'head' }, 'it can not be read');
  if (head.state !== 'read') return null;
  const digest = digestOfPayload(head.value);
  // The floor that was made of this very head vouches for it, also when the keys that signed it are gone.
  const floor = floors.find((it) => it?.head === digest) ?? floors[0] ?? floors[1] ?? null;
  try {
    const blob = folder.blobs.read;
    return await restoreState({ point, head: head.value, floor, root, blob, nowMs });
  } catch (thrown) {
    logger.error({ event: 'state_damaged', point, what: 'state' }, messageOf(thrown));
    return null;
  }
}

function floorOf(kept: Kept<Memory>, { logger, point }: RestoreTask): Floor | null {
  if (kept.state === 'damaged') logger.error({ event: 'state_damaged', point, what: 'floor' }, 'it can not be read');
  return memoryOf(kept)?.floor ?? null;
}

function memoryOf(kept: Kept<Memory>): Memory | null {
  return kept.state === 'read' ? kept.value : null;
}
