/** Partitions and folders: a partition is a folder of the root, whichever of the two was asked for. Only empty ones go. */
import type { Kind } from './box-config.ts';
import { kindOf } from './kinds.ts';
import { builtIn, folderNotEmpty, notFound, partitionNotEmpty } from './mcpd-errors.ts';
import { merged, type ObjectRules } from './object-rules.ts';
import { folderOf } from './paths.ts';
import type { Draft, View } from './state.ts';

export const partitionDefaults = { defaultRouteDomain: 0 };

export const folderDefaults = {
  deviceGroup: 'none',
  hidden: 'false',
  inheritedDevicegroup: 'true',
  inheritedTrafficGroup: 'true',
  noRefCheck: 'false',
  trafficGroup: '/Common/traffic-group-1',
};

const ALWAYS = new Set(['Common', '/Common', '/']);

export const partition: ObjectRules = {
  defaults: partitionDefaults,
  properties: (write) => merged(write, partitionDefaults),
  beside({ fullPath }, draft) {
    if (draft.get('sys folder', `/${fullPath}`) === null) draft.put('sys folder', `/${fullPath}`, folderDefaults);
  },
  removal(fullPath, draft) {
    if (ALWAYS.has(fullPath)) throw builtIn('partition', fullPath);
    const item = firstBelow(`/${fullPath}`, draft);
    if (item?.kind === 'sys folder') throw folderNotEmpty(`/${fullPath}`, `folder ${item.fullPath}`);
    if (item !== null) throw partitionNotEmpty(fullPath);
    draft.remove('sys folder', `/${fullPath}`);
  },
};

export const folder: ObjectRules = {
  defaults: folderDefaults,
  properties: (write) => merged(write, folderDefaults),
  beside({ fullPath }, draft) {
    const name = fullPath.slice(1);
    if (folderOf(fullPath) === '/' && draft.get('auth partition', name) === null)
      draft.put('auth partition', name, partitionDefaults);
  },
  removal(fullPath, draft) {
    if (ALWAYS.has(fullPath)) throw builtIn('folder', fullPath);
    const item = firstBelow(fullPath, draft);
    if (item !== null) throw folderNotEmpty(fullPath, `${kindOf(item.kind).inUseTitle} ${item.fullPath}`);
    if (folderOf(fullPath) === '/') draft.remove('auth partition', fullPath.slice(1));
  },
};

/** Every object but a partition lies in a folder that stands. */
export function checkFolder(fullPath: string, view: View): void {
  const path = folderOf(fullPath);
  if (path !== '/' && view.get('sys folder', path) === null) throw notFound('folder', path);
}

function firstBelow(path: string, draft: Draft): { kind: Kind; fullPath: string } | null {
  for (const kind of draft.kinds())
    for (const { fullPath } of draft.all(kind)) if (fullPath.startsWith(`${path}/`)) return { kind, fullPath };
  return null;
}
