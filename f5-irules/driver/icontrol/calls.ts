/**
 * Every kind of call that Edgeward makes to a BIG-IP, and what for. The documentation prints it, for whoever writes a
 * role that allows no more; tests compare it with the calls that a simulated box sees. Nothing is called that is not here.
 */
import type { Method } from './call.ts';

export interface CallRecord {
  method: Method;
  /** Below `/mgmt/`; `*` is one name. */
  path: string;
  why: string;
  /** `session`: any user may. `read`: role guest is enough. `write`: the partition Edgeward. `system`: beyond it. */
  needs: 'session' | 'read' | 'write' | 'system';
}

export const CALLS: readonly CallRecord[] = [
  call('POST', 'shared/authn/login', 'session', 'a token for all other calls, and a new one at half of its life'),
  call('DELETE', 'shared/authz/tokens/*', 'session', 'gives a token back; a user has a hundred at most'),

  call('GET', 'tm/sys/version', 'read', 'the version, where no other answer told it yet'),
  call('GET', 'tm/auth/partition/*', 'read', 'whether the partition Edgeward is there'),
  call('GET', 'tm/ltm/data-group/internal', 'read', 'which groups there are, and which of them changed'),
  call('GET', 'tm/ltm/data-group/internal/*', 'read', 'the map, the meta group and what a group holds'),
  call('GET', 'tm/ltm/data-group/external', 'read', 'which large groups there are'),
  call('GET', 'tm/ltm/data-group/external/*', 'read', 'reads back a write without answer'),
  call('GET', 'tm/sys/file/data-group', 'read', 'checksums of the files of large groups'),
  call('GET', 'tm/sys/file/data-group/*', 'read', 'reads back a write without answer'),
  call(
    'GET',
    'tm/ltm/rule/*',
    'read',
    'whether the rules of Edgeward are as they were; what other rules beside them do',
  ),
  call('GET', 'tm/ltm/rule', 'read', 'which rules changed since they were looked at'),
  call('GET', 'tm/ltm/rule/stats', 'read', 'whether a rule of Edgeward was aborted'),
  call('GET', 'tm/ltm/virtual', 'read', 'addresses, route domains and rules of the virtual servers'),
  call(
    'GET',
    'tm/ltm/virtual/*',
    'read',
    'one virtual server with its profiles, and before and after its rules are changed',
  ),
  call('GET', 'tm/ltm/profile/http', 'read', 'which profiles see requests, and which pass some through'),
  call('GET', 'tm/ltm/profile/fastl4', 'read', 'which profiles see no connection as the rules need it'),
  call('GET', 'tm/sys/log-config/publisher/*', 'read', 'whether denials have a way to the collector'),
  call('GET', 'tm/cm/device', 'read', 'which unit is the active one'),
  call('GET', 'tm/cm/device-group', 'read', 'whether the box is one of a pair, and syncs by itself'),
  call('GET', 'tm/cm/device-group/*/stats', 'read', 'which unit of a pair was changed last'),
  call('GET', 'tm/cm/sync-status', 'read', 'whether changes wait for a config-sync, and whose'),

  call('POST', 'tm/ltm/data-group/internal', 'write', 'makes a group'),
  call('PATCH', 'tm/ltm/data-group/internal/*', 'write', 'the switch of the map; the meta group; mends a group'),
  call('DELETE', 'tm/ltm/data-group/internal/*', 'write', 'groups that no recent revision uses'),
  call('POST', 'tm/ltm/data-group/external', 'write', 'makes a large group'),
  call('PATCH', 'tm/ltm/data-group/external/*', 'write', 'makes the box read a mended file'),
  call('DELETE', 'tm/ltm/data-group/external/*', 'write', 'large groups that no recent revision uses'),
  call('POST', 'shared/file-transfer/uploads/*', 'system', 'the content of a large group, in chunks of 512 KiB'),
  call('POST', 'tm/sys/file/data-group', 'write', 'makes the file of a large group from an upload'),
  call('PATCH', 'tm/sys/file/data-group/*', 'write', 'mends such a file'),
  call('DELETE', 'tm/sys/file/data-group/*', 'write', 'files that no group uses'),
  call('POST', 'tm/util/unix-rm', 'system', 'deletes an upload that was used; without the right to do so it stays'),
  call('POST', 'tm/ltm/rule', 'write', 'the two rules, once for each of their versions'),
  call('PATCH', 'tm/ltm/rule/*', 'write', 'mends a rule of Edgeward that somebody changed'),

  call('POST', 'tm/transaction', 'write', 'a transaction that is only validated: would the box take the switch?'),
  call('PATCH', 'tm/transaction/*', 'write', 'validates it'),
  call('GET', 'tm/transaction/*', 'read', 'what became of it, where the box does not say so at once'),
  call('DELETE', 'tm/transaction/*', 'write', 'clears it away'),

  call(
    'PATCH',
    'tm/ltm/virtual/*',
    'system',
    '`edgeward bigip attach` and `detach` only: the rules of a virtual server',
  ),
  call('POST', 'tm/sys/config', 'system', 'saves the configuration'),
  call('POST', 'tm/cm', 'system', 'config-sync to the other unit of a pair'),
];

/** The record of a call, by method and path below `/mgmt/`, with or without that and a query; null where there is none. */
export function recordOf(method: string, path: string): CallRecord | null {
  const segments = (path.replace(/^\/?mgmt\//, '').split('?')[0] ?? '').split('/');
  return CALLS.find((record) => record.method === method && isLike(record.path.split('/'), segments)) ?? null;
}

function isLike(pattern: string[], segments: string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((word, index) => segments[index] !== '' && (word === '*' || word === segments[index]));
}

function call(method: Method, path: string, needs: CallRecord['needs'], why: string): CallRecord {
  return { method, path, why, needs };
}
