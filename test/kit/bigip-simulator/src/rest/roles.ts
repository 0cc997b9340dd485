/**
 * What a role may do. Reading is free to every role here. `manager` writes objects of Local Traffic, and the files of
 * data groups, in its partitions; `guest` writes nothing; only `admin` uploads. The texts of mcpd's refusals and the list
 * of what a manager may command are presumed: see fidelity/rest.json.
 */
import type { Kind } from '../config/box-config.ts';
import type { SimulatedUser } from '../simulator.ts';
import { refuseBox, refuseRest } from './answer.ts';
import type { Call } from './call.ts';

export function partitionOf(fullPath: string): string {
  return fullPath.startsWith('/') ? (fullPath.split('/')[1] ?? '') : '';
}

/** Throws what mcpd says to a user that may not write this object. */
export function mayWrite(user: SimulatedUser, kind: Kind, partition: string): void {
  if (user.role === 'admin') return;
  if (user.role === 'resource-admin' && kind !== 'auth user') return;
  if (user.role === 'manager' && isManaged(kind) && mayUsePartition(user, partition)) return;
  const where = partition === '' ? '' : ` in partition ${partition}`;
  refuseBox(403, `01070822:3: Access Denied: User (${user.name}) may not write objects of type (${kind})${where}.`);
}

/** Throws what mcpd says to a user that may not give this command. */
export function mayCommand(user: SimulatedUser, command: 'save' | 'load' | 'config-sync' | 'failover' | 'util'): void {
  if (user.role === 'admin' || user.role === 'resource-admin') return;
  if (user.role === 'manager' && command === 'save') return;
  refuseBox(403, `01070822:3: Access Denied: User (${user.name}) may not run (${command}).`);
}

/** Throws what restjavad says: its own URIs are for administrators. */
export function mayUseFramework(user: SimulatedUser, call: Call): void {
  if (user.role === 'admin') return;
  const path = `/mgmt/${call.segments.join('/')}`;
  const link = `https://localhost/mgmt/shared/authz/users/${encodeURIComponent(user.name)}`;
  const who = `referrer:${call.address} sender:${call.address}`;
  const what = `resource=${path} verb=${call.method} uri:http://localhost:8100${path}`;
  refuseRest(401, `Authorization failed: user=${link} ${what} ${who}`);
}

function isManaged(kind: Kind): boolean {
  return kind.startsWith('ltm ') || kind === 'sys file data-group';
}

function mayUsePartition(user: SimulatedUser, partition: string): boolean {
  return user.partitions === undefined || user.partitions.includes(partition);
}
