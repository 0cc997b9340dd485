import { EdgewardError } from '@edgeward/runtime';
import { CLUSTER, DEVICE_GROUPS, DEVICES, SYNC_STATUS } from './box-paths.ts';
import { boxText } from './box-text.ts';
import type { Icontrol, Json } from './icontrol/index.ts';

/**
 * Which unit of a pair is the active one, and how its config-sync stands. Everything is asked of the boxes each time:
 * a failover may come between any two calls. Nothing here decides whether to sync.
 */
export interface Unit {
  box: Icontrol;
  /** As the box calls itself. */
  name: string;
  /** null: it stands alone. */
  pair: Pair | null;
}

export interface Pair {
  /** Name of the sync-failover group. */
  group: string;
  /** The box syncs by itself after each write. */
  automatic: boolean;
  /** The other units, as far as their addresses are known. */
  peers: Icontrol[];
}

/**
 * `pending`: something waits for a config-sync. `apart`: the units can't be synced now: disconnected, or never synced at
 * all. `words` is what the box says.
 */
export interface SyncState {
  state: 'in-sync' | 'pending' | 'apart';
  words: string;
}

interface Role {
  name: string;
  failoverState: string;
}

/** The active unit, and its pair. Throws as `findActive` does, and EDW_ERR_BIGIP_NO_PAIR. */
export async function activeUnit(point: string, boxes: readonly Icontrol[], first: string | null): Promise<Unit> {
  const { box, name } = await findActive(point, boxes, first);
  return { box, name, pair: await pairOf(point, box, boxes) };
}

/**
 * Asks `first` first, if there is such a unit. Throws EDW_ERR_BIGIP_NO_ACTIVE, and what the client throws when a unit that
 * may be the active one does not answer.
 */
export async function findActive(
  point: string,
  boxes: readonly Icontrol[],
  first: string | null,
): Promise<{ box: Icontrol; name: string }> {
  const ordered = [...boxes].sort((a, b) => Number(b.url === first) - Number(a.url === first));
  const standby: string[] = [];
  let failure: unknown = null;
  for (const box of ordered) {
    const role = await roleOf(box).catch((cause: unknown) => {
      failure ??= cause;
      return null;
    });
    if (role === null) continue;
    if (role.failoverState === 'active') return { box, name: role.name };
    standby.push(`${role.name} is ${role.failoverState}`);
  }
  if (failure !== null) throw failure;
  throw new EdgewardError('EDW_ERR_BIGIP_NO_ACTIVE', `looking for the active unit of ${point}: ${standby.join(', ')}`, {
    mend: 'Make one unit active, or name both units of the pair as addresses of this point. Both keep the policy that they have.',
  });
}

/** Writes go to the active unit only, and a failover may have come since it was found. Throws EDW_ERR_BIGIP_FAILOVER. */
export async function requireActive(point: string, unit: Unit, doing: string): Promise<void> {
  const { failoverState } = await roleOf(unit.box);
  if (failoverState === 'active') return;
  throw new EdgewardError('EDW_ERR_BIGIP_FAILOVER', `${doing} at ${point}: ${unit.name} became ${failoverState}`, {
    mend: 'Nothing to do: the next attempt goes to the unit that is active now.',
  });
}

async function roleOf(box: Icontrol): Promise<Role> {
  const devices = await box.list(DEVICES, { $select: 'name,selfDevice,failoverState' });
  const self = devices.find(({ selfDevice }) => String(selfDevice) === 'true') ?? devices[0];
  return { name: boxText(self?.name) || box.url, failoverState: boxText(self?.failoverState) || 'of no known state' };
}

async function pairOf(point: string, box: Icontrol, boxes: readonly Icontrol[]): Promise<Pair | null> {
  const groups = await box.list(DEVICE_GROUPS, { $select: 'name,type,autoSync' });
  const group = groups.find(({ type }) => type === 'sync-failover');
  if (group !== undefined) {
    const peers = boxes.filter((other) => other !== box);
    return { group: String(group.name), automatic: group.autoSync === 'enabled', peers };
  }
  if (boxes.length === 1) return null;
  throw new EdgewardError(
    'EDW_ERR_BIGIP_NO_PAIR',
    `${point} has two addresses, and ${box.url} is in no sync-failover group`,
    {
      mend: 'Name two units of one pair, or make two points of them.',
    },
  );
}

export async function syncStateOf(box: Icontrol): Promise<SyncState> {
  const words = statusIn(await box.get(SYNC_STATUS)) ?? 'unknown';
  return { state: STATES[words] ?? 'apart', words: boxText(words, 80) };
}

/** What a box calls its sync status. Whatever else it says keeps us from syncing. */
const STATES: Record<string, SyncState['state']> = {
  'In Sync': 'in-sync',
  Standalone: 'in-sync',
  'Changes Pending': 'pending',
  'Not All Devices Synced': 'pending',
  Syncing: 'pending',
};

/** `entries` → one entry → `nestedStats.entries.status.description`. */
function statusIn(status: Json | null): string | null {
  const nested = Object.values(objectAt(status, 'entries'));
  for (const entry of nested) {
    const { description } = objectAt(objectAt(objectAt(entry, 'nestedStats'), 'entries'), 'status') as Json;
    if (typeof description === 'string') return description;
  }
  return null;
}

function objectAt(value: unknown, key: string): Json {
  const found = typeof value === 'object' && value !== null ? (value as Json)[key] : null;
  return typeof found === 'object' && found !== null ? (found as Json) : {};
}

/** Tells the box to carry its configuration to the others. It answers before that is done. */
export async function commandSync(point: string, unit: Unit, group: string): Promise<void> {
  // The name becomes a word of a command.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(group)) {
    throw new EdgewardError(
      'EDW_ERR_BIGIP_NOT_SYNCED',
      `syncing ${point}: the name of the device group ${JSON.stringify(boxText(group, 80))} can't stand in a command`,
      { mend: 'Sync the pair by hand, or rename the device group to letters, digits, `.`, `_` and `-`.' },
    );
  }
  await unit.box.run(CLUSTER, { command: 'run', utilCmdArgs: `config-sync to-group ${group}` });
}
