/** `ltm pool` with its members, and the nodes that come along with them. */
import { addressText, parseAddress } from '../address.ts';
import type { ConfigObject, Properties } from '../box-config.ts';
import { invalidProperty, notFound } from '../mcpd-errors.ts';
import { merged, type ObjectRules, type Write } from '../object-rules.ts';
import { absolute, folderOf, nameOf, partitionOf } from '../paths.ts';
import { isProperties, named, text, withoutAbsent } from '../property-values.ts';
import type { View } from '../state.ts';
import { portNumber } from './destination.ts';

interface PoolMember extends Properties {
  /** `10.0.0.1:80`, `web1:80`, `2001:db8::1.80` */
  name: string;
  fullPath: string;
  partition: string;
  /** With `%rd`. */
  address: string;
}

const MEMBER_DEFAULTS: Properties = {
  connectionLimit: 0,
  dynamicRatio: 1,
  ephemeral: 'false',
  fqdn: { autopopulate: 'disabled' },
  inheritProfile: 'enabled',
  logging: 'disabled',
  monitor: 'default',
  priorityGroup: 0,
  rateLimit: 'disabled',
  ratio: 1,
  session: 'user-enabled',
  state: 'unchecked',
};

const NODE_DEFAULTS: Properties = {
  connectionLimit: 0,
  dynamicRatio: 1,
  ephemeral: 'false',
  fqdn: { addressFamily: 'ipv4', autopopulate: 'disabled', downInterval: 5, interval: '3600' },
  logging: 'disabled',
  monitor: 'default',
  rateLimit: 'disabled',
  ratio: 1,
  session: 'user-enabled',
  state: 'unchecked',
};

const poolDefaults: Properties = {
  allowNat: 'yes',
  allowSnat: 'yes',
  ignorePersistedWeight: 'disabled',
  ipTosToClient: 'pass-through',
  ipTosToServer: 'pass-through',
  linkQosToClient: 'pass-through',
  linkQosToServer: 'pass-through',
  loadBalancingMode: 'round-robin',
  minActiveMembers: 0,
  minUpMembers: 0,
  minUpMembersAction: 'failover',
  minUpMembersChecking: 'disabled',
  queueDepthLimit: 0,
  queueOnConnectionLimit: 'disabled',
  queueTimeLimit: 0,
  reselectTries: 0,
  serviceDownAction: 'none',
  slowRampTime: 10,
};

export const pool: ObjectRules = {
  defaults: poolDefaults,
  itemDefaults: { members: MEMBER_DEFAULTS },
  properties(write, _box, view) {
    const all = merged(write, poolDefaults);
    if (!('members' in write.body)) return all;
    return withoutAbsent({ ...all, members: members(write, view) });
  },
  beside(object, draft) {
    for (const member of membersOf(object)) {
      const fullPath = nodePath(member.fullPath);
      if (draft.get('ltm node', fullPath) === null) draft.put('ltm node', fullPath, nodeProperties(member.address));
    }
  },
  references: (object) => membersOf(object).map(({ fullPath }) => ({ family: 'node', fullPath: nodePath(fullPath) })),
};

export const node: ObjectRules = {
  defaults: NODE_DEFAULTS,
  properties(write) {
    const all = merged(write, NODE_DEFAULTS);
    const said = text(all, 'address') ?? '';
    const address = parseAddress(said);
    if (address === null && said !== 'any6' && said !== 'any') throw invalidProperty('address', said);
    return address === null ? all : { ...all, address: addressText(address) };
  },
};

const membersOf = ({ properties }: ConfigObject): readonly PoolMember[] =>
  (properties.members as readonly PoolMember[] | undefined) ?? [];

const nodeProperties = (address: string): Properties => ({ ...NODE_DEFAULTS, address });

function members(write: Write, view: View): PoolMember[] {
  const found = new Map<string, PoolMember>();
  const before = Array.isArray(write.before?.members) ? (write.before.members as PoolMember[]) : [];
  // A merge of tmsh text adds to the members that stand.
  if (write.origin === 'text') for (const member of before) found.set(member.fullPath, member);
  for (const said of named(write.body, 'members')) {
    const made = member(said, write, view);
    // Over REST the array is replaced whole; a merge of text leaves what it does not say.
    const stood = found.get(made.fullPath);
    found.set(made.fullPath, stood === undefined ? made : { ...stood, ...withoutFrame(said), ...identity(made) });
  }
  return [...found.values()].sort((a, b) => (a.fullPath < b.fullPath ? -1 : 1));
}

function member(said: Properties & { name: string }, write: Write, view: View): PoolMember {
  const folder = typeof said.partition === 'string' ? `/${said.partition}` : folderOf(write.fullPath);
  const { host, port, joint } = splitMember(nameOf(absolute(said.name, folder)));
  const path = `${folderOf(absolute(said.name, folder))}/${host}${joint}${port}`;
  const own = parseAddress(text(said, 'address') ?? host);
  const known = view.get('ltm node', nodePath(path))?.properties.address;
  if (own === null && known === undefined) throw notFound('Node', nodePath(path));
  const address = own === null ? String(known) : addressText(own);
  const identity = { name: nameOf(path), partition: partitionOf(path), fullPath: path, address };
  return { ...MEMBER_DEFAULTS, ...withoutFrame(said), ...identity };
}

const identity = ({ name, partition, fullPath, address }: PoolMember): PoolMember => ({
  name,
  partition,
  fullPath,
  address,
});

function withoutFrame(said: Properties): Properties {
  const { kind: _kind, generation: _generation, selfLink: _selfLink, nameReference: _reference, ...own } = said;
  return Object.fromEntries(Object.entries(own).filter(([, value]) => !isProperties(value) || !('link' in value)));
}

/** The node's part ends at the last colon, or at the last dot when it is an address of IPv6. */
function splitMember(name: string): { host: string; port: number; joint: string } {
  const joint = (name.match(/:/g) ?? []).length > 1 ? '.' : ':';
  const at = name.lastIndexOf(joint);
  const port = at === -1 ? null : portNumber(name.slice(at + 1));
  if (port === null) throw invalidProperty('members', name);
  const host = name.slice(0, at);
  const address = parseAddress(host);
  return { host: address === null ? host : addressText(address), port, joint };
}

function nodePath(memberPath: string): string {
  const { host } = splitMember(nameOf(memberPath));
  return `${folderOf(memberPath)}/${host}`;
}
