import { cidrsOf } from './cidr-list.ts';
import type { CompiledObject, CompiledPolicy, PortRange } from './compiled.ts';
import { unpack } from './interval-table.ts';

/**
 * What the devices behind points are limited by, as far as it is known, and what a policy asks of them. A finding says
 * what happens then; whether a device has been given more room is known to the device alone.
 */
export interface LimitFinding {
  /** Stable: `nginx-zone`, `bigip-records`, `host-pairs`. */
  limit: Limit['name'];
  /** The object that asks for the most; null where it is the point as a whole. */
  object: string | null;
  needed: number;
  limitedTo: number;
  words: string;
  mend: string;
}

type DeviceKind = 'nginx' | 'bigip' | 'host';

interface Limit {
  name: 'nginx-zone' | 'bigip-records' | 'host-pairs';
  device: DeviceKind;
  limitedTo: number;
  /** Of one object, or of all of them together. */
  each: boolean;
  needed(object: CompiledObject): number;
  words(needed: number): string;
  mend: string;
}

const MIB = 1048576;

const LIMITS: Limit[] = [
  {
    // nginx-njs/driver/snippets.ts writes 64m; the slab allocator was measured on njs 0.8.9 (nginx-njs/driver/zone-size.ts).
    name: 'nginx-zone',
    device: 'nginx',
    limitedTo: 64 * MIB,
    each: false,
    needed: zoneBytes,
    words: (needed) => `takes about ${Math.ceil(needed / MIB)} MiB of shared memory, and http.conf gives 64 MiB`,
    mend: 'Write a larger zone=edgeward in http.conf before it is applied; what does not fit is refused whole.',
  },
  {
    // f5-irules/driver/layout/data-groups.ts: larger groups are files (f5-ansible moves at 65,000 records or 4,000,000 bytes).
    name: 'bigip-records',
    device: 'bigip',
    limitedTo: 50_000,
    each: true,
    needed: (object) => recordsOf(object, 50_000),
    words: (needed) => `takes ${needed} records or more: a file on the box, which nobody can read back`,
    mend: 'Let the user upload (role admin; docs/bigip.md), or name fewer, larger networks.',
  },
  {
    // ipset hash:net,port up to here; beyond it sets for each port (measured on Debian 12, ipset 7.17).
    name: 'host-pairs',
    device: 'host',
    limitedTo: 262_144,
    each: true,
    needed: pairsOf,
    words: (needed) => `takes ${needed} pairs of address and port in the kernel`,
    mend: 'Name ports as ranges or leave them out, or name fewer, larger networks.',
  },
];

export function limitFindings(policy: CompiledPolicy): LimitFinding[] {
  const found: LimitFinding[] = [];
  LIMITS.forEach((limit) => {
    let most = 0;
    let sum = 0;
    let object: string | null = null;
    policy.objects.forEach((it) => {
      if (deviceOf(it) !== limit.device) return;
      const needed = limit.needed(it);
      sum += needed;
      if (needed <= most) return;
      most = needed;
      object = it.name;
    });
    const needed = limit.each ? most : sum;
    if (needed <= limit.limitedTo) return;
    found.push({
      limit: limit.name,
      object: limit.each ? object : null,
      needed,
      limitedTo: limit.limitedTo,
      words: limit.words(needed),
      mend: limit.mend,
    });
  });
  return found;
}

/** A full path is a BIG-IP's; NGINX and hosts know their objects by plain names. */
function deviceOf(object: CompiledObject): DeviceKind {
  if (object.kind === 'workload') return 'host';
  return object.bind.charAt(0) === '/' ? 'bigip' : 'nginx';
}

/** Twice, because one policy replaces another, with a third to spare. */
function zoneBytes(object: CompiledObject): number {
  let bytes = slotOf(112 + 32) + slotOf(JSON.stringify([object.bind, object.ports]).length + 64);
  Object.keys(object.sources).forEach((name) => {
    bytes += slotOf(112 + 12 + name.length) + slotOf((object.sources[name] as string).length);
  });
  object.classes.forEach((indices) => {
    bytes += slotOf(112 + 16) + slotOf(JSON.stringify(indices.map((index) => object.rules[index])).length);
  });
  return Math.ceil(bytes * 2 * 1.33);
}

function slotOf(bytes: number): number {
  if (bytes > 2048) return Math.ceil(bytes / 4096) * 4096;
  let slot = 8;
  while (slot < bytes) slot *= 2;
  return slot;
}

/** One CIDR a record. Past the limit they are no longer counted one by one. */
function recordsOf(object: CompiledObject, limitedTo: number): number {
  const intervals = unpack(object.sources);
  return intervals.length > limitedTo ? intervals.length : cidrsOf(intervals).length;
}

function pairsOf(object: CompiledObject): number {
  const ports = object.classes.map((indices) => {
    const allowing = indices.map((index) => object.rules[index]).filter((rule) => rule?.action === 'allow');
    return allowing.reduce((sum, rule) => sum + countOf(rule?.ports ?? null), 0);
  });
  return unpack(object.sources).reduce((sum, it) => sum + (ports[it.value] ?? 0), 0);
}

/** A rule for every port needs one entry, and so does a wide range. */
function countOf(ports: PortRange[] | null): number {
  if (ports === null) return 1;
  return ports.reduce((sum, it) => sum + (it.to - it.from >= 1024 ? 1 : it.to - it.from + 1), 0);
}
