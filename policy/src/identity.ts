import type { AddressKey } from './address.ts';
import { formatAddress, parseAddress } from './address.ts';
import { isOver } from './endings.ts';
import { contains } from './interval.ts';
import type { Network, ProtectedObject, Workload } from './model.ts';
import type { Resolution, ResolvedRule } from './resolve.ts';
import type { Labels } from './selector.ts';

/** Who an address is, for events and explanations; each index is built when it is first asked for. */
export interface Identities {
  resolution: Resolution;
  workloadsAt(key: AddressKey): Workload[];
  identify(address: string): SourceIdentity;
  object(name: string): ProtectedObject | null;
  objectAt(point: string, bind: string): ProtectedObject | null;
  rulesFor(object: ProtectedObject): ResolvedRule[];
}

export interface SourceIdentity {
  address: string;
  workloads: string[];
  networks: string[];
  /** Labels of all workloads with this address; where they differ, the values are joined by commas. */
  labels: Labels;
}

/** `named` stands in for the resolution's own workloads, where those are not known by name. */
export function identitiesOf(resolution: Resolution, named?: (key: AddressKey) => Workload[]): Identities {
  let byAddress: Record<AddressKey, Workload[]> | null = null;
  let byName: Record<string, number> | null = null;
  let byBind: Record<string, number> | null = null;
  const objectAtIndex = (index: number | undefined): ProtectedObject | null =>
    index === undefined ? null : (resolution.objects[index] as ProtectedObject);
  const workloadsAt = (key: AddressKey): Workload[] => {
    if (named !== undefined) return named(key);
    if (byAddress === null) byAddress = indexAddresses(resolution.workloads);
    return byAddress[key] ?? [];
  };
  return {
    resolution,
    workloadsAt,
    identify: (address) => identify(resolution, workloadsAt, address),
    object: (name) => {
      if (byName === null) byName = indexObjects(resolution, (object) => object.name);
      return objectAtIndex(byName[name]);
    },
    objectAt: (point, bind) => {
      if (byBind === null) byBind = indexObjects(resolution, (object) => `${object.point} ${object.bind}`);
      return objectAtIndex(byBind[`${point} ${bind}`]);
    },
    rulesFor: (object) => resolution.naming[resolution.objects.indexOf(object)] ?? [],
  };
}

/** Adds labels; a key that is there with another value gets both, sorted and joined by a comma. */
function mergeLabels(into: Labels, more: Labels): void {
  Object.keys(more).forEach((key) => {
    // A label may be called `constructor`, which every plain object has.
    const have = Object.prototype.hasOwnProperty.call(into, key) ? into[key] : undefined;
    const value = more[key] as string;
    if (have === undefined || have === value) into[key] = value;
    else if (have.split(',').indexOf(value) < 0) into[key] = have.split(',').concat([value]).sort().join(',');
  });
}

function identify(
  resolution: Resolution,
  workloadsAt: (key: AddressKey) => Workload[],
  address: string,
): SourceIdentity {
  const key = parseAddress(address);
  const out: SourceIdentity = {
    address: key === null ? address : formatAddress(key),
    workloads: [],
    networks: [],
    labels: {},
  };
  if (key === null) return out;
  workloadsAt(key).forEach((workload) => {
    out.workloads.push(workload.name);
    mergeLabels(out.labels, workload.labels);
  });
  resolution.model.networks.forEach((network) => {
    if (isIn(network.value, key, resolution.nowMs)) out.networks.push(network.value.name);
  });
  return out;
}

function isIn(network: Network, key: AddressKey, nowMs: number): boolean {
  if (isOver(network.expiresMs, nowMs)) return false;
  const among = (list: Network['cidrs']): boolean => list.some((it) => contains([it], key));
  return among(network.cidrs) && !among(network.except);
}

function indexAddresses(workloads: Workload[]): Record<AddressKey, Workload[]> {
  const index: Record<AddressKey, Workload[]> = Object.create(null);
  workloads.forEach((workload) => {
    workload.addresses.forEach((address) => {
      const known = index[address];
      if (known === undefined) index[address] = [workload];
      else if (known.indexOf(workload) < 0) known.push(workload);
    });
  });
  return index;
}

function indexObjects(resolution: Resolution, keyOf: (object: ProtectedObject) => string): Record<string, number> {
  const index: Record<string, number> = Object.create(null);
  resolution.objects.forEach((object, i) => {
    index[keyOf(object)] = i;
  });
  return index;
}
