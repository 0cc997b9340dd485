/** Pools as the data plane uses them: members in turn, those left out that are disabled or forced down. */
import { isIP } from 'node:net';
import type { ConfigObject } from '../config/box-config.ts';
import { portNumber } from '../config/ltm/destination.ts';

export interface Member {
  /** As rules see it: with `%rd`. */
  address: string;
  port: number;
  /** Where it is asked. */
  host: string;
}

export interface Balancing {
  configure(pools: readonly ConfigObject[], nodes: readonly ConfigObject[]): void;
  members(pool: string): readonly Member[] | null;
  pick(pool: string): Member | null;
}

export function createBalancing(): Balancing {
  let members = new Map<string, Member[]>();
  const turns = new Map<string, number>();
  return {
    configure(pools, nodes) {
      const addresses = new Map(nodes.map(({ fullPath, properties }) => [fullPath, properties.address]));
      members = new Map(pools.map((pool) => [pool.fullPath, membersOf(pool, addresses)]));
    },
    members: (pool) => members.get(pool) ?? null,
    pick(pool) {
      const all = members.get(pool) ?? [];
      const turn = (turns.get(pool) ?? 0) % Math.max(1, all.length);
      turns.set(pool, turn + 1);
      return all[turn] ?? null;
    },
  };
}

/** From an address with an optional `%rd`, and a port by number or name. */
export function memberAt(address: string, port: string | number): Member | null {
  const host = address.replace(/%.*$/, '');
  const number = portNumber(String(port));
  return isIP(host) === 0 || number === null ? null : { address, port: number, host };
}

function membersOf({ properties }: ConfigObject, nodes: ReadonlyMap<string, unknown>): Member[] {
  const { members } = properties;
  if (!Array.isArray(members)) return [];
  return members.flatMap((said: unknown) => {
    const member = memberOf(typeof said === 'string' ? { name: said } : (said as Record<string, unknown>), nodes);
    return member === null ? [] : [member];
  });
}

function memberOf(said: Record<string, unknown>, nodes: ReadonlyMap<string, unknown>): Member | null {
  if (said.session === 'user-disabled' || said.state === 'user-down') return null;
  const path = String(said.fullPath ?? said.name ?? '');
  const name = path.slice(path.lastIndexOf('/') + 1);
  const joint = (name.match(/:/g) ?? []).length > 1 ? '.' : ':';
  const at = name.lastIndexOf(joint);
  const host = name.slice(0, at);
  const address = said.address ?? nodes.get(`${path.slice(0, path.lastIndexOf('/'))}/${host}`) ?? host;
  return memberAt(String(address), name.slice(at + 1));
}
