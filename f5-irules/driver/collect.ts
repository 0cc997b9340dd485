import { type Logger, messageOf } from '@edgeward/runtime';
import { GROUP_FILES, inPartition } from './box-paths.ts';
import { removeGroup } from './group-writes.ts';
import { listFiles, listGroups } from './groups.ts';
import { readHeldMap } from './held.ts';
import { type Icontrol, objectPath } from './icontrol/index.ts';
import type { KnownBox } from './known-box.ts';
import { groupsOfMap } from './meta.ts';

/**
 * Deletes groups that neither the map nor a recent revision uses. It runs inside an apply that writes anyway, after the
 * switch and before the save, so that no save and no config-sync is ever made for it alone. It never fails an apply, and
 * touches nothing whose name is not of our own making.
 */
export interface Collection {
  box: Icontrol;
  known: KnownBox;
  logger: Logger;
  /** Named by the map. */
  inForce: ReadonlySet<string>;
  /** Of revisions that one write may bring back. */
  kept: ReadonlySet<string>;
  /** How long a group must have been out of the map; another service may be about to switch to it. */
  graceMs: number;
  nowMs: number;
}

export async function collect(task: Collection): Promise<void> {
  try {
    await collectGroups(task);
  } catch (cause) {
    const fields = { event: 'collect_failed', box: task.box.url, cause: messageOf(cause) };
    task.logger.warn(fields, 'old data groups stay for now');
  }
}

async function collectGroups({ box, known, logger, inForce, kept, graceMs, nowMs }: Collection): Promise<void> {
  const stored = await listGroups(box);
  // An apply or a removal that was cut off leaves a file that no group refers to.
  const files = [...(await listFiles(box)).keys()].filter((name) => !stored.has(name));
  const since = sinceWhen(known.unusedSinceMs, [...stored.keys(), ...files], inForce, nowMs);
  known.unusedSinceMs = since;
  const isUnused = (name: string): boolean =>
    !inForce.has(name) && !kept.has(name) && nowMs - (since.get(name) ?? nowMs) >= graceMs;
  const unused = [...stored.values()].filter(({ name }) => isUnused(name));
  // A service that shares this box may have switched since: what the map names now is not deleted under it.
  const policy = unused.length === 0 ? null : ((await readHeldMap(box))?.policy ?? null);
  const named = new Set(policy === null ? [] : groupsOfMap(policy));
  for (const group of unused.filter(({ name }) => !named.has(name))) {
    if ((await removeGroup(box, group)) === 'removed') continue;
    logger.info({ event: 'collect_in_use', box: box.url, group: group.name }, 'an old data group is in use by a rule');
  }
  for (const name of files.filter(isUnused)) await box.remove(objectPath(GROUP_FILES, inPartition(name)));
}

function sinceWhen(
  before: ReadonlyMap<string, number>,
  names: readonly string[],
  inForce: ReadonlySet<string>,
  nowMs: number,
): Map<string, number> {
  const unused = names.filter((name) => !inForce.has(name));
  return new Map(unused.map((name) => [name, before.get(name) ?? nowMs]));
}
