/**
 * Which configuration is whose: a commit names one state of a configuration, and units that hold the same commit are in
 * sync. Pure; whoever changes something makes a new commit.
 */
export interface Commit {
  /** Grows over the pair. */
  number: number;
  /** Name of the unit that made the change. */
  originator: string;
  timeMs: number;
}

export interface HeldCommit {
  name: string;
  commit: Commit;
  /** What both held when they were last in sync. */
  agreed: Commit;
  reachable: boolean;
}

export interface SyncStatus {
  status: 'Standalone' | 'In Sync' | 'Changes Pending' | 'Disconnected';
  color: 'green' | 'yellow' | 'red';
  mode: 'standalone' | 'high-availability';
  summary: string;
  details: string[];
}

export const standaloneStatus: SyncStatus = {
  status: 'Standalone',
  color: 'green',
  mode: 'standalone',
  summary: ' ',
  details: ['Optional action: Add a device to the trust domain'],
};

export function syncStatusOf(self: HeldCommit, peer: HeldCommit, group: string): SyncStatus {
  if (!self.reachable || !peer.reachable) return disconnected(peer, group);
  const connected = `${peer.name}: connected`;
  if (self.commit.number === peer.commit.number) {
    const same = 'All devices in the device group are in sync';
    const details = [connected, `${group} (In Sync): ${same}`, `device_trust_group (In Sync): ${same}`];
    return { status: 'In Sync', color: 'green', mode: 'high-availability', summary: same, details };
  }
  const conflict = moved(self) && moved(peer);
  const newer = self.commit.number > peer.commit.number ? self : peer;
  const summary = conflict
    ? `There is a possible change conflict between ${self.name} and ${peer.name}.`
    : `Changes made on ${newer.name} are not yet on the other devices of the group.`;
  return {
    status: 'Changes Pending',
    color: conflict ? 'red' : 'yellow',
    mode: 'high-availability',
    summary,
    details: [
      connected,
      `${group} (Changes Pending): ${summary}`,
      ` - Recommended action: Synchronize ${newer.name} to group ${group}`,
    ],
  };
}

function moved(unit: HeldCommit): boolean {
  return unit.commit.number !== unit.agreed.number;
}

function disconnected(peer: HeldCommit, group: string): SyncStatus {
  const summary = `${peer.name} is disconnected.`;
  const details = [`${peer.name}: disconnected`, `${group} (Disconnected): ${summary}`];
  return { status: 'Disconnected', color: 'red', mode: 'high-availability', summary, details };
}
