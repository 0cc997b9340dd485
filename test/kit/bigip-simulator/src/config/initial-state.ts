/** What stands on a box that nobody has configured yet. */
import type { Kind, Properties } from './box-config.ts';
import { folderDefaults, partitionDefaults } from './folders.ts';
import { builtInProfiles } from './ltm/profile.ts';
import { routeDomainDefaults } from './network-rules.ts';
import { draftOf, EMPTY, type State } from './state.ts';

const own = { ...folderDefaults, inheritedDevicegroup: 'false', inheritedTrafficGroup: 'false' };

const OBJECTS: { kind: Kind; fullPath: string; properties: Properties }[] = [
  {
    kind: 'auth partition',
    fullPath: 'Common',
    properties: { ...partitionDefaults, description: 'Repository for system objects and shared objects.' },
  },
  { kind: 'sys folder', fullPath: '/', properties: own },
  { kind: 'sys folder', fullPath: '/Common', properties: folderDefaults },
  { kind: 'net route-domain', fullPath: '/Common/0', properties: { ...routeDomainDefaults, id: 0 } },
  { kind: 'sys log-config destination local-syslog', fullPath: '/Common/local-syslog', properties: {} },
  ...builtInProfiles(),
];

const BUILT_IN = new Map(OBJECTS.map(({ kind, fullPath, properties }) => [`${kind}\n${fullPath}`, properties]));

export function initialState(hostname: string): State {
  const draft = draftOf(EMPTY);
  draft.put('sys global-settings', '', { hostname });
  for (const { kind, fullPath, properties } of OBJECTS) draft.put(kind, fullPath, properties);
  return draft.finish();
}

/** Of an object that every box has; undefined for all others. */
export const builtInProperties = (kind: Kind, fullPath: string): Properties | undefined =>
  BUILT_IN.get(`${kind}\n${fullPath}`);
