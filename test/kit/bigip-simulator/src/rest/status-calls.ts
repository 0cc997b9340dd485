/** What a unit says of itself: version, readiness, devices, failover and sync status, counters of iRules. Read only. */
import type { TmosVersion } from '../simulator.ts';
import { type Answer, type Json, json } from './answer.ts';
import type { Call } from './call.ts';
import { linkTo, segmentOf } from './links.ts';
import { entriesOf, nested, statsView } from './nested-stats.ts';
import type { RestUnit } from './rest-unit.ts';

const builds: Record<TmosVersion, { build: string; edition: string; date: string }> = {
  '13.1.3': { build: '0.0.6', edition: 'Point Release 3', date: 'Thu Sep 19 10:12:40 PDT 2019' },
  '17.1.2': { build: '0.0.2', edition: 'Point Release 2', date: 'Tue Nov 12 17:07:46 PST 2024' },
};

/** The answer to a GET of one of these, or null for another path. */
export function answerStatus(call: Call, unit: RestUnit): Answer | null {
  const path = call.segments.join('/').replace(/\/stats$/, '');
  const read = Object.hasOwn(readings, path) ? readings[path] : undefined;
  return read === undefined || call.method !== 'GET' ? null : json(read(unit));
}

const readings: Record<string, (unit: RestUnit) => Json> = {
  'tm/sys/ready': (unit) => {
    const values = { configReady: 'yes', licenseReady: 'yes', provisionReady: 'yes' };
    return statsView('tm/sys/ready', 'tm:sys:ready:readystats', unit.version, values);
  },
  'tm/sys/version': (unit) => {
    const { build, edition, date } = builds[unit.version];
    const named = { Build: build, Date: date, Edition: edition, Product: 'BIG-IP', Title: 'Main Package' };
    return statsView('tm/sys/version', 'tm:sys:version:versionstats', unit.version, {
      ...named,
      Version: unit.version,
    });
  },
  'tm/cli/version': (unit) => {
    const path = 'tm/cli/version';
    const entries = {
      [`https://localhost/mgmt/${path}/0`]: nested(entriesOf({ active: unit.version, latest: unit.version })),
    };
    return { kind: 'tm:cli:version:versionstats', selfLink: linkTo(path, unit.version), entries };
  },
  'tm/cm/sync-status': (unit) => {
    const { details, ...values } = unit.seat.syncStatus();
    const lines = { path: 'tm/cm/syncStatus/0/details', lines: details };
    return statsView('tm/cm/sync-status', 'tm:cm:sync-status:sync-statusstats', unit.version, values, lines);
  },
  'tm/cm/failover-status': failoverStatus,
  'shared/identified-devices/config/device-info': deviceInfo,
};

function failoverStatus(unit: RestUnit): Json {
  const active = unit.seat.isActive();
  const values = {
    color: active ? 'green' : 'gray',
    status: active ? 'ACTIVE' : 'STANDBY',
    summary: active ? '1/1 active' : '1/1 standby',
  };
  const line = `${active ? 'active' : 'standby'} for /Common/traffic-group-1`;
  const details = { path: 'tm/cm/failoverStatus/0/details', lines: [line] };
  return statsView(
    'tm/cm/failover-status',
    'tm:cm:failover-status:failover-statusstats',
    unit.version,
    values,
    details,
  );
}

function deviceInfo(unit: RestUnit): Json {
  const { build, edition } = builds[unit.version];
  return {
    baseMac: '02:00:00:00:00:01',
    build,
    chassisSerialNumber: '00000000-0000-0000-000000000000',
    edition,
    generation: 0,
    hostname: unit.hostname,
    isClustered: false,
    isVirtual: true,
    kind: 'shared:resolver:device-groups:deviceinfostate',
    lastUpdateMicros: 0,
    machineId: '00000000-0000-0000-0000-000000000000',
    managementAddress: '127.0.0.1',
    platform: 'Z100',
    platformMarketingName: 'BIG-IP Virtual Edition',
    product: 'BIG-IP',
    restFrameworkVersion: `${unit.version}-${build}`,
    selfLink: 'https://localhost/mgmt/shared/identified-devices/config/device-info',
    trustDomainGuid: '00000000-0000-0000-000000000000',
    version: unit.version,
  };
}

/** GET of /mgmt/tm/cm/device, or of one in it; null where there is none of that name. */
export function deviceViews(unit: RestUnit): Json[] {
  const { build, edition } = builds[unit.version];
  return unit.seat.devices().map(({ name, self, failoverState }) => ({
    kind: 'tm:cm:device:devicestate',
    name,
    partition: 'Common',
    fullPath: `/Common/${name}`,
    generation: 1,
    selfLink: linkTo(`tm/cm/device/~Common~${segmentOf(name)}`, unit.version),
    baseMac: '02:00:00:00:00:01',
    build,
    chassisType: 'individual',
    configsyncIp: unit.seat.isPair ? '127.0.0.1' : 'none',
    edition,
    failoverState,
    haCapacity: 0,
    hostname: name,
    managementIp: '127.0.0.1',
    marketingName: 'BIG-IP Virtual Edition',
    mirrorIp: 'any6',
    multicastIp: 'any6',
    multicastPort: 0,
    platformId: 'Z100',
    product: 'BIG-IP',
    selfDevice: String(self),
    timeZone: 'UTC',
    version: unit.version,
  }));
}

export function groupStatsView(unit: RestUnit, fullPath: string): Json | null {
  const stats = unit.seat.groupStats(fullPath);
  if (stats === null) return null;
  const path = `tm/cm/device-group/${segmentOf(fullPath)}`;
  const kind = 'tm:cm:device-group:device-groupstats';
  const entries = stats.map(({ device, commit, lastSync, lastSyncType }) => {
    const below = `${path}/${segmentOf(fullPath)}:~Common~${segmentOf(device)}/stats`;
    const values = {
      commitIdOriginator: `/Common/${commit.originator}`,
      commitIdTime: new Date(commit.timeMs).toISOString(),
      device: `/Common/${device}`,
      devicegroup: fullPath,
      lastSyncType,
      lssOriginator: `/Common/${lastSync.originator}`,
      lssTime: new Date(lastSync.timeMs).toISOString(),
      timeSinceLastSync: '-',
    };
    const inner = { kind, selfLink: linkTo(below, unit.version), entries: entriesOf(values) };
    return [`https://localhost/mgmt/${below}`, { nestedStats: inner }] as const;
  });
  return { kind, selfLink: linkTo(`${path}/stats`, unit.version), entries: Object.fromEntries(entries) };
}

/** Counters of every event of every rule, or of one rule. */
export function ruleStatsView(unit: RestUnit, fullPath: string | null): Json {
  const rows = (unit.dataPlane()?.ruleStats() ?? []).filter(({ rule }) => fullPath === null || rule === fullPath);
  const entries = rows.map((row) => {
    const path = `tm/ltm/rule/${segmentOf(row.rule)}:${row.event}/stats`;
    const values = {
      aborts: row.aborts,
      avgCycles: 0,
      eventType: row.event,
      failures: row.failures,
      maxCycles: 0,
      minCycles: 0,
      tmName: row.rule,
      priority: row.priority,
      totalExecutions: row.executions,
    };
    const inner = { kind: 'tm:ltm:rule:rulestats', selfLink: linkTo(path, unit.version), entries: entriesOf(values) };
    return [`https://localhost/mgmt/${path}`, { nestedStats: inner }] as const;
  });
  const one = fullPath === null ? '' : `${segmentOf(fullPath)}/`;
  const kind = fullPath === null ? 'tm:ltm:rule:rulecollectionstats' : 'tm:ltm:rule:rulestats';
  const frame = { kind, selfLink: linkTo(`tm/ltm/rule/${one}stats`, unit.version) };
  return entries.length === 0 ? frame : { ...frame, entries: Object.fromEntries(entries) };
}
