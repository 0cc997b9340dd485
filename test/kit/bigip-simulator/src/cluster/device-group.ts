/** The sync-failover group as the configuration has it, whoever wrote it: REST with `autoSync`, tmsh text with `auto-sync`. */
import type { BoxConfig, ConfigObject, Properties } from '../config/box-config.ts';

export interface DeviceGroup {
  fullPath: string;
  name: string;
  autoSync: boolean;
  saveOnAutoSync: boolean;
  fullLoadOnSync: boolean;
  /** A larger change is a full load at the peer. */
  incrementalMaxKb: number;
}

const kind = 'cm device-group';

/** The first of type sync-failover, or null. */
export function deviceGroupOf(config: BoxConfig): DeviceGroup | null {
  const object = config.list(kind).find((group) => settingOf(group, 'type', 'type') === 'sync-failover');
  if (object === undefined) return null;
  return {
    fullPath: object.fullPath,
    name: object.fullPath.split('/').at(-1) ?? object.fullPath,
    autoSync: isOn(settingOf(object, 'autoSync', 'auto-sync')),
    saveOnAutoSync: isOn(settingOf(object, 'saveOnAutoSync', 'save-on-auto-sync')),
    fullLoadOnSync: isOn(settingOf(object, 'fullLoadOnSync', 'full-load-on-sync')),
    incrementalMaxKb: Number(
      settingOf(object, 'incrementalConfigSyncSizeMax', 'incremental-config-sync-size-max') ?? 1024,
    ),
  };
}

/** What a pair has when its configuration text names no group of its own. */
export function createDeviceGroup(config: BoxConfig, devices: readonly string[]): void {
  const common: Properties = { partition: 'Common', asmSync: 'disabled', incrementalConfigSyncSizeMax: 1024 };
  const members = devices.map((name) => ({ name, partition: 'Common' }));
  const trust: Properties = {
    name: 'device_trust_group',
    type: 'sync-only',
    autoSync: 'enabled',
    fullLoadOnSync: 'true',
  };
  const failover: Properties = {
    name: 'failover_group',
    type: 'sync-failover',
    autoSync: 'disabled',
    fullLoadOnSync: 'false',
    networkFailover: 'enabled',
    saveOnAutoSync: 'false',
  };
  const bodies = [trust, failover].map((own) => ({ ...common, devices: members, ...own }));
  config.apply(bodies.map((body) => ({ do: 'create', kind, body })));
}

function settingOf(object: ConfigObject, property: string, written: string): unknown {
  return object.properties[property] ?? object.properties[written];
}

function isOn(value: unknown): boolean {
  return value === true || value === 'true' || value === 'enabled';
}
