/**
 * What has to be brought into force, in the order in which it was written. A task holds the objects as they were at that
 * moment: the configuration replaces objects and never changes them, so a later write does not show in an earlier task.
 */
import type { BoxConfig, ConfigObject, Kind } from '../config/box-config.ts';
import { type GroupState, groupState, groupsOfFile, isGroup } from './data-groups.ts';
import { type Publishers, publishersOf } from './hsl.ts';
import { type VirtualServer, virtualServer } from './virtual-server.ts';

export type Task = { do: 'group'; state: GroupState } | { do: 'objects'; objects: Objects };

/** All but data groups. */
export interface Objects {
  rules: ConfigObject[];
  virtuals: VirtualServer[];
  pools: ConfigObject[];
  nodes: ConfigObject[];
  publishers: Publishers;
}

/** Groups first: rules and virtual servers may use them at once. */
export function everything(config: BoxConfig): Task[] {
  const groups = ['ltm data-group internal', 'ltm data-group external'].flatMap((kind) => config.list(kind));
  return [
    ...groups.map(({ fullPath }): Task => ({ do: 'group', state: groupState(config, fullPath) })),
    { do: 'objects', objects: objectsOf(config) },
  ];
}

/** `stale`: a new file alone does not reach TMM. */
export function tasksOf(
  config: BoxConfig,
  changed: readonly { kind: Kind; fullPath: string }[],
  stale: boolean,
): Task[] {
  const groups = new Set<string>();
  let others = false;
  for (const { kind, fullPath } of changed) {
    if (isGroup(kind)) groups.add(fullPath);
    else if (kind !== 'sys file data-group') others = true;
    else if (!stale) for (const name of groupsOfFile(config, fullPath)) groups.add(name);
  }
  const tasks = [...groups].map((name): Task => ({ do: 'group', state: groupState(config, name) }));
  return others ? [...tasks, { do: 'objects', objects: objectsOf(config) }] : tasks;
}

function objectsOf(config: BoxConfig): Objects {
  return {
    rules: config.list('ltm rule'),
    virtuals: config.list('ltm virtual').flatMap((object) => virtualServer(object, config) ?? []),
    pools: config.list('ltm pool'),
    nodes: config.list('ltm node'),
    publishers: publishersOf(config),
  };
}
