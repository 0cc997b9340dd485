/**
 * One unit alone, or two as an active/standby pair: who is active, whose configuration is newer, and config-sync, which
 * overwrites the other unit with what the sender held when it was asked. A write on a standby is possible, as on a real
 * one, and gives pending changes. Nothing here decides that two configurations could be merged.
 */
import type { Clock } from '@edgeward/runtime';
import type { BoxConfig } from '../config/box-config.ts';
import { notFound } from '../config/mcpd-errors.ts';
import { type DeviceGroup, deviceGroupOf } from './device-group.ts';
import { type Commit, type HeldCommit, type SyncStatus, standaloneStatus, syncStatusOf } from './sync-state.ts';

/** What the cluster needs of a unit. */
export interface ClusterMember {
  readonly name: string;
  readonly config: BoxConfig;
  reachable(): boolean;
  /** A standby takes no connections. */
  setActive(active: boolean): Promise<void>;
}

interface DeviceState {
  name: string;
  self: boolean;
  failoverState: 'active' | 'standby' | 'offline';
}

interface GroupStats {
  device: string;
  commit: Commit;
  lastSync: Commit;
  lastSyncType: string;
}

/** The cluster as one of its units sees it. */
export interface ClusterSeat {
  readonly isPair: boolean;
  isActive(): boolean;
  devices(): DeviceState[];
  syncStatus(): SyncStatus;
  /** Null when there is no such group. */
  groupStats(fullPath: string): GroupStats[] | null;
  /** Asks for a config-sync; the pair is in sync some time later. Throws BoxError. */
  sync(direction: 'to' | 'from', group: string, fullLoad: boolean): void;
  failover(): Promise<void>;
  /** The configuration was saved. */
  saved(): void;
  /** Runs what brings the saved one back: that is no change of anybody's. */
  reverting(run: () => void): void;
  /** The unit goes down; its peer takes over. */
  down(): Promise<void>;
}

export interface Cluster {
  seats: ClusterSeat[];
  failover(): Promise<void>;
}

export interface ClusterOptions {
  members: readonly ClusterMember[];
  clock: Clock;
  syncDelayMs: number;
}

interface Place {
  member: ClusterMember;
  commit: Commit;
  saved: Commit;
  agreed: Commit;
  lastSyncType: string;
  /** Objects that this unit wrote since it last was in sync. */
  changed: Map<string, { kind: string; fullPath: string }>;
  /** While a configuration comes from the peer or from disk, nothing is a change of this unit's own. */
  receiving: boolean;
  /** A sync by itself was begun, and its delay runs. */
  autoSyncDue: boolean;
}

export function createCluster(options: ClusterOptions): Cluster {
  const { clock } = options;
  const first: Commit = { number: 1, originator: options.members[0]?.name ?? '', timeMs: clock.now() };
  let last = first.number;
  let active = 0;
  let turn: Promise<void> = Promise.resolve();
  const places = options.members.map((member): Place => {
    const held = { commit: first, saved: first, agreed: first };
    return { member, ...held, lastSyncType: 'none', changed: new Map(), receiving: false, autoSyncDue: false };
  });
  for (const place of places) place.member.config.subscribe((changed) => onChange(place, changed));

  function onChange(place: Place, changed: readonly { kind: string; fullPath: string }[]): void {
    if (place.receiving) return;
    last += 1;
    place.commit = { number: last, originator: place.member.name, timeMs: clock.now() };
    for (const each of changed) place.changed.set(`${each.kind}\n${each.fullPath}`, each);
    if (deviceGroupOf(place.member.config)?.autoSync === true) startAutoSync(place);
  }

  /** Writes in one delay travel together. */
  function startAutoSync(place: Place): void {
    const peer = peerOf(place);
    if (peer === null || place.autoSyncDue) return;
    place.autoSyncDue = true;
    clock.after(options.syncDelayMs, () => {
      place.autoSyncDue = false;
      const group = deviceGroupOf(place.member.config);
      if (group?.autoSync !== true) return;
      transfer(place, peer, captured(place), typeOf(place, group, 'auto'), group.saveOnAutoSync);
    });
  }

  function peerOf(place: Place): Place | null {
    return places.find((other) => other !== place) ?? null;
  }

  function sync(place: Place, direction: 'to' | 'from', groupName: string, fullLoad: boolean): void {
    const peer = peerOf(place);
    const group = deviceGroupOf(place.member.config);
    const known = group !== null && [group.name, group.fullPath].includes(groupName);
    if (peer === null || !known)
      throw notFound('device group', groupName.startsWith('/') ? groupName : `/Common/${groupName}`);
    const [source, target] = direction === 'to' ? [place, peer] : [peer, place];
    if (!source.member.reachable()) return;
    const sent = captured(source);
    const type = fullLoad ? 'full-load-manual-sync' : typeOf(source, group, 'manual');
    clock.after(options.syncDelayMs, () => transfer(source, target, sent, type, true));
  }

  return {
    seats: places.map((place, index) => ({
      isPair: places.length > 1,
      isActive: () => active === index,
      devices: () => places.map((other, at) => deviceState(other, at === index, at === active)),
      syncStatus: () => statusOf(place, peerOf(place)),
      groupStats: (fullPath) => statsOf(place, places, fullPath),
      sync: (direction, group, fullLoad) => sync(place, direction, group, fullLoad),
      failover,
      saved() {
        place.saved = place.commit;
      },
      reverting(run) {
        receive(place, run);
        place.commit = place.saved;
        place.changed.clear();
      },
      down: () =>
        inTurn(async () => {
          if (active === index) await giveAway();
        }),
    })),
    failover,
  };

  function failover(): Promise<void> {
    return inTurn(giveAway);
  }

  /** Two at once would leave both units active, or none. */
  function inTurn(step: () => Promise<void>): Promise<void> {
    turn = turn.then(step, step);
    return turn;
  }

  async function giveAway(): Promise<void> {
    const next = places.length - 1 - active;
    const [from, to] = [places[active], places[next]];
    if (from === to || from === undefined || to === undefined || !to.member.reachable()) return;
    active = next;
    // The addresses are the same: the one that leaves lets go of them first.
    await from.member.setActive(false);
    await to.member.setActive(true);
  }
}

interface Captured {
  snapshot: ReturnType<BoxConfig['snapshot']>;
  commit: Commit;
}

function captured(place: Place): Captured {
  return { snapshot: place.member.config.snapshot(), commit: place.commit };
}

function transfer(source: Place, target: Place, sent: Captured, type: string, save: boolean): void {
  if (!source.member.reachable() || !target.member.reachable()) return;
  receive(target, () => target.member.config.restore(sent.snapshot));
  target.commit = sent.commit;
  target.lastSyncType = type;
  for (const place of [source, target]) place.agreed = sent.commit;
  target.changed.clear();
  if (source.commit.number === sent.commit.number) source.changed.clear();
  if (!save) return;
  target.member.config.save();
  target.saved = target.commit;
}

function receive(place: Place, run: () => void): void {
  place.receiving = true;
  try {
    run();
  } finally {
    place.receiving = false;
  }
}

function typeOf(place: Place, group: DeviceGroup, how: 'manual' | 'auto'): string {
  const full = group.fullLoadOnSync || changedBytes(place) > group.incrementalMaxKb * 1024;
  return `${full ? 'full-load' : 'incremental'}-${how}-sync`;
}

function changedBytes(place: Place): number {
  let bytes = 0;
  for (const { kind, fullPath } of place.changed.values()) {
    const object = place.member.config.get(kind, fullPath);
    if (object !== null) bytes += JSON.stringify(object.properties).length;
    if (kind === 'sys file data-group') bytes += place.member.config.file(fullPath)?.length ?? 0;
  }
  return bytes;
}

function deviceState(place: Place, self: boolean, isActive: boolean): DeviceState {
  const up = isActive ? 'active' : 'standby';
  return { name: place.member.name, self, failoverState: place.member.reachable() ? up : 'offline' };
}

function heldBy(place: Place): HeldCommit {
  const { commit, agreed, member } = place;
  return { name: member.name, commit, agreed, reachable: member.reachable() };
}

function statusOf(place: Place, peer: Place | null): SyncStatus {
  const group = deviceGroupOf(place.member.config);
  if (peer === null || group === null) return standaloneStatus;
  return syncStatusOf(heldBy(place), heldBy(peer), group.name);
}

function statsOf(place: Place, places: readonly Place[], fullPath: string): GroupStats[] | null {
  if (place.member.config.get('cm device-group', fullPath) === null) return null;
  return places.map(({ member, commit, agreed, lastSyncType }) => {
    return { device: member.name, commit, lastSync: agreed, lastSyncType };
  });
}
