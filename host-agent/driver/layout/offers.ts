import {
  type CompiledObject,
  type CompiledRule,
  compareText,
  formatPortRange,
  type Interval,
  normalisePorts,
  type PortRange,
  unpack,
} from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { Family } from './host-layout.ts';
import { intersectPorts, subtractPorts } from './port-sets.ts';

/**
 * What an object allows, deny rules worked out: ports, and exactly the addresses that may reach them. Ports that the same
 * addresses may reach stand together, so an address that a hundred rules name on one port is in one set once. Asking by port
 * rather than by source keeps `any` whole where other rules name parts of it.
 */
export interface Offer {
  /** Sorted and disjoint. No port stands in two offers of one family. */
  ports: PortRange[];
  /** Of one family, disjoint, in any order; never empty. */
  sources: Interval[];
}

/** Sources with equal ports, whatever rules gave them. */
interface Grant {
  ports: PortRange[];
  sources: Interval[];
}

/** Intervals over all offers of a family, and grants over all its ports. A kernel set costs 30 bytes a member; beyond it a host would pay in gigabytes. */
const MAX_INTERVALS = 8_388_608;

export function offersOf(object: CompiledObject): Record<Family, Offer[]> {
  const grants = grantsOf(object);
  return { inet: familyOffers(grants, 8), inet6: familyOffers(grants, 32) };
}

function familyOffers(grants: readonly Grant[], keyLength: number): Offer[] {
  const own = grants
    .map(({ ports, sources }) => ({ ports, sources: sources.filter(({ lo }) => lo.length === keyLength) }))
    .filter(({ sources }) => sources.length > 0);
  const together = new Map<string, { ports: PortRange[]; grants: number[] }>();
  for (const { ports, grants: held } of piecesOf(own)) {
    const key = held.join(' ');
    const known = together.get(key);
    if (known === undefined) together.set(key, { ports: [ports], grants: held });
    else known.ports.push(ports);
  }
  const wanted = [...together.values()];
  refuseScattered(sum(wanted.map((one) => sum(one.grants.map((index) => own[index]?.sources.length ?? 0)))));
  return wanted.map(({ ports, grants: held }) => ({
    ports: normalisePorts(ports),
    sources: held.flatMap((index) => own[index]?.sources ?? []),
  }));
}

/** The ports that any grant names, cut wherever one begins or ends, each with the grants that hold it. */
function piecesOf(grants: readonly Grant[]): { ports: PortRange; grants: number[] }[] {
  const edges = new Set(grants.flatMap(({ ports }) => ports.flatMap((range) => [startOf(range), endOf(range)])));
  const starts = [...edges].sort((a, b) => a - b);
  const at = new Map(starts.map((start, index) => [start, index]));
  const holders: number[][] = starts.map(() => []);
  let entries = 0;
  grants.forEach(({ ports }, grant) => {
    for (const range of ports) {
      const last = at.get(endOf(range)) ?? 0;
      for (let piece = at.get(startOf(range)) ?? last; piece < last; piece += 1) {
        holders[piece]?.push(grant);
        entries += 1;
      }
    }
    refuseScattered(entries);
  });
  return holders.flatMap((of, index) =>
    of.length === 0 ? [] : [{ ports: pieceBetween(starts[index] ?? 0, starts[index + 1] ?? 0), grants: of }],
  );
}

/** Ports of both protocols on one line: tcp from 0, udp from 65,536. */
const startOf = ({ protocol, from }: PortRange): number => (protocol === 'udp' ? 65_536 : 0) + from;
const endOf = ({ protocol, to }: PortRange): number => (protocol === 'udp' ? 65_536 : 0) + to + 1;

function pieceBetween(start: number, end: number): PortRange {
  const isUdp = start >= 65_536;
  const base = isUdp ? 65_536 : 0;
  return { protocol: isUdp ? 'udp' : 'tcp', from: start - base, to: end - 1 - base };
}

function grantsOf(object: CompiledObject): Grant[] {
  const grants = new Map<string, Grant>();
  const ofClass = object.classes.map((indices) => {
    const ports = allowedPorts(
      object,
      indices.flatMap((index) => object.rules[index] ?? []),
    );
    const key = ports.map(formatPortRange).join(' ');
    const grant = grants.get(key) ?? { ports, sources: [] };
    grants.set(key, grant);
    return grant;
  });
  for (const { lo, hi, value } of unpack(object.sources)) ofClass[value]?.sources.push({ lo, hi });
  return [...grants.values()].filter(({ ports, sources }) => ports.length > 0 && sources.length > 0);
}

/** Within the object's ports: all that a rule allows, less all that a rule denies. */
function allowedPorts(object: CompiledObject, rules: readonly CompiledRule[]): PortRange[] {
  // A connection has no request: a rule with conditions on it matches nothing here.
  const judging = rules.filter((rule) => rule.http === null);
  const portsOf = (action: 'allow' | 'deny'): PortRange[] =>
    normalisePorts(judging.flatMap((rule) => (rule.action === action ? (rule.ports ?? object.ports) : [])));
  return subtractPorts(intersectPorts(portsOf('allow'), normalisePorts(object.ports)), portsOf('deny'));
}

function refuseScattered(intervals: number): void {
  if (intervals <= MAX_INTERVALS) return;
  throw new EdgewardError(
    'EDW_ERR_HOST_CAPACITY',
    `laying out a policy as sets: more than ${MAX_INTERVALS} intervals`,
    {
      mend: 'Let fewer rules of this host name the same sources on different ports, or join their networks into fewer, larger ones.',
    },
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** In the order of their first ports, which is the same for equal policies. */
export function compareOffers(one: Offer, other: Offer): number {
  return compareText(one.ports.map(formatPortRange).join(' '), other.ports.map(formatPortRange).join(' '));
}
