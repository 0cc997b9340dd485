import type { AddressKey } from '@edgeward/policy';
import { createColumn, createPlaces } from './column.ts';
import { createLabelSets, type LabelSets } from './label-sets.ts';
import { createNumberLists } from './number-lists.ts';

/**
 * Which workloads there are, which labels and addresses each has, and whose an address is. Workloads, sets of labels and
 * addresses are numbers here; no document is kept. It knows nothing of groups.
 */
export interface Inventory {
  readonly labelSets: LabelSets;
  readonly workloadCount: number;
  readonly addressCount: number;
  /** The number of the workload, or -1. */
  find(name: string): number;
  nameOf(workload: number): string;
  setOf(workload: number): number;
  addressesOf(workload: number): readonly number[];
  ownersOf(address: number): readonly number[];
  keyOf(address: number): AddressKey;
  /** The number of the address; to be forgotten again if nobody comes to own it. */
  addressFor(key: AddressKey): number;
  forgetUnowned(address: number): void;
  /** A workload that is not there yet. */
  add(name: string, labels: string, addresses: readonly number[]): number;
  /** Whether its set of labels went with it. */
  remove(workload: number): boolean;
  workloads(): Iterable<number>;
  names(): Iterable<string>;
}

export function createInventory(): Inventory {
  const labelSets = createLabelSets();
  const numbers = new Map<string, number>();
  const names: string[] = [];
  const places = createPlaces();
  const setOf = createColumn();
  const addressesOf = createNumberLists();
  const addresses = createAddresses();
  return {
    labelSets,
    get workloadCount() {
      return numbers.size;
    },
    get addressCount() {
      return addresses.count();
    },
    find: (name) => numbers.get(name) ?? -1,
    nameOf: (workload) => names[workload] as string,
    setOf: setOf.at,
    addressesOf: addressesOf.of,
    ownersOf: addresses.owners.of,
    keyOf: addresses.keyOf,
    addressFor: addresses.numberFor,
    forgetUnowned: addresses.forgetUnowned,
    add: (name, labels, own) => {
      const workload = places.take();
      numbers.set(name, workload);
      names[workload] = name;
      setOf.put(workload, labelSets.take(labels));
      for (const address of own) {
        addressesOf.add(workload, address);
        addresses.owners.add(address, workload);
      }
      return workload;
    },
    remove: (workload) => {
      for (const address of addressesOf.of(workload)) {
        addressesOf.remove(workload, address);
        addresses.owners.remove(address, workload);
      }
      numbers.delete(names[workload] as string);
      names[workload] = '';
      places.giveBack(workload);
      return labelSets.release(setOf.at(workload));
    },
    workloads: () => numbers.values(),
    names: () => numbers.keys(),
  };
}

interface Addresses {
  owners: ReturnType<typeof createNumberLists>;
  count(): number;
  keyOf(address: number): AddressKey;
  numberFor(key: AddressKey): number;
  forgetUnowned(address: number): void;
}

function createAddresses(): Addresses {
  const owners = createNumberLists();
  const numbers = new Map<AddressKey, number>();
  const keys: AddressKey[] = [];
  const places = createPlaces();
  return {
    owners,
    count: () => numbers.size,
    keyOf: (address) => keys[address] as AddressKey,
    numberFor: (key) => {
      const known = numbers.get(key);
      if (known !== undefined) return known;
      const address = places.take();
      numbers.set(key, address);
      keys[address] = key;
      return address;
    },
    forgetUnowned: (address) => {
      if (!owners.isEmpty(address) || !numbers.delete(keys[address] as AddressKey)) return;
      keys[address] = '';
      places.giveBack(address);
    },
  };
}
