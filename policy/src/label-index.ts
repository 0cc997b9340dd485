import type { AddressKey } from './address.ts';
import { compareKeys } from './interval.ts';
import type { Workload } from './model.ts';
import type { LabelCondition, Selector } from './selector.ts';

/**
 * Which workloads a selector selects, for many selectors over many workloads. Each value that some selector asks for
 * gets one bit set over all workloads, filled in one pass; a selector is then a few AND and OR over words. Only asked
 * values are indexed, so an inventory with a label of 100,000 distinct values costs nothing extra.
 */
export interface LabelIndex {
  /** One bit a workload, in the order given; only for selectors that the index was made for. */
  select(selector: Selector): Uint32Array;
}

/** The addresses of all workloads in one order, so that a set of them is sorted as a set of small numbers. */
export interface AddressOrder {
  /** Every address of every workload, sorted; the same address once for each workload that has it. */
  addresses: AddressKey[];
  /** For workload i, the places of its addresses: `ranks[starts[i]] … ranks[starts[i + 1] - 1]`. */
  starts: Uint32Array;
  ranks: Uint32Array;
}

export function indexLabels(workloads: Workload[], selectors: Selector[]): LabelIndex {
  const words = (workloads.length + 31) >> 5;
  const wanted = wantedBits(selectors, words);
  const keys = Object.keys(wanted);
  for (let i = 0; i < workloads.length; i += 1) {
    const labels = (workloads[i] as Workload).labels;
    const word = i >> 5;
    const bit = 1 << (i & 31);
    for (let k = 0; k < keys.length; k += 1) {
      const value = labels[keys[k] as string];
      if (value === undefined) continue;
      const slot = wanted[keys[k] as string] as WantedKey;
      slot.present[word] = (slot.present[word] as number) | bit;
      const bits = slot.values[value];
      if (bits !== undefined) bits[word] = (bits[word] as number) | bit;
    }
  }
  const everything = fullBits(workloads.length, words);
  return { select: (selector) => selectBits(selector, wanted, everything) };
}

/**
 * Some of the workloads. A group has few of them and there are tens of thousands of groups: one bit for each workload would
 * take the product of both.
 */
export type WorkloadSet =
  /** Places, ascending. */
  | { places: Uint32Array; bits: null }
  /** One bit a workload, where that takes less. */
  | { places: null; bits: Uint32Array };

export function workloadSetOf(bits: Uint32Array): WorkloadSet {
  let count = 0;
  eachBit(bits, () => {
    count += 1;
  });
  if (count >= bits.length) return { places: null, bits };
  const places = new Uint32Array(count);
  let at = 0;
  eachBit(bits, (place) => {
    places[at] = place;
    at += 1;
  });
  return { places, bits: null };
}

/** Calls `visit` with the place of each workload of the set, ascending. */
export function eachWorkload(set: WorkloadSet, visit: (place: number) => void): void {
  if (set.places === null) eachBit(set.bits, visit);
  else for (let i = 0; i < set.places.length; i += 1) visit(set.places[i] as number);
}

/** One bit for each of so many workloads, the caller's own to change. */
export function bitsOf(set: WorkloadSet, workloads: number): Uint32Array {
  if (set.places === null) return set.bits.slice();
  const bits = new Uint32Array((workloads + 31) >> 5);
  eachWorkload(set, (place) => {
    bits[place >> 5] = (bits[place >> 5] as number) | (1 << (place & 31));
  });
  return bits;
}

/** Calls `visit` with the number of each set bit, ascending. */
export function eachBit(bits: Uint32Array, visit: (index: number) => void): void {
  for (let w = 0; w < bits.length; w += 1) {
    let word = bits[w] as number;
    while (word !== 0) {
      const low = word & -word;
      visit((w << 5) + 31 - Math.clz32(low));
      word ^= low;
    }
  }
}

interface WantedKey {
  present: Uint32Array;
  values: Record<string, Uint32Array>;
}

function wantedBits(selectors: Selector[], words: number): Record<string, WantedKey> {
  const wanted: Record<string, WantedKey> = Object.create(null);
  selectors.forEach((selector) => {
    selector.forEach((conditions) => {
      conditions.forEach((condition) => {
        let slot = wanted[condition.key];
        if (slot === undefined) {
          slot = { present: new Uint32Array(words), values: Object.create(null) };
          wanted[condition.key] = slot;
        }
        const values = slot.values;
        condition.values.forEach((value) => {
          if (values[value] === undefined) values[value] = new Uint32Array(words);
        });
      });
    });
  });
  return wanted;
}

function selectBits(selector: Selector, wanted: Record<string, WantedKey>, everything: Uint32Array): Uint32Array {
  const out = new Uint32Array(everything.length);
  selector.forEach((conditions) => {
    const all = everything.slice();
    conditions.forEach((condition) => {
      narrow(all, condition, wanted[condition.key] as WantedKey);
    });
    for (let w = 0; w < out.length; w += 1) out[w] = (out[w] as number) | (all[w] as number);
  });
  return out;
}

function narrow(all: Uint32Array, condition: LabelCondition, slot: WantedKey): void {
  const positive = condition.op === 'in' || condition.op === 'exists';
  const sets =
    condition.op === 'in' || condition.op === 'not-in'
      ? condition.values.map((value) => slot.values[value] as Uint32Array)
      : [slot.present];
  for (let w = 0; w < all.length; w += 1) {
    let some = 0;
    for (let s = 0; s < sets.length; s += 1) some |= (sets[s] as Uint32Array)[w] as number;
    all[w] = (all[w] as number) & (positive ? some : ~some);
  }
}

function fullBits(count: number, words: number): Uint32Array {
  const bits = new Uint32Array(words);
  for (let w = 0; w < words; w += 1) bits[w] = 0xffffffff;
  if ((count & 31) !== 0) bits[words - 1] = (1 << (count & 31)) - 1;
  return bits;
}

export function orderAddresses(workloads: Workload[]): AddressOrder {
  const starts = new Uint32Array(workloads.length + 1);
  const flat: AddressKey[] = [];
  workloads.forEach((workload, i) => {
    workload.addresses.forEach((address) => {
      flat.push(address);
    });
    starts[i + 1] = flat.length;
  });
  const order = flat.map((_, i) => i);
  order.sort((a, b) => compareKeys(flat[a] as AddressKey, flat[b] as AddressKey));
  const ranks = new Uint32Array(flat.length);
  const addresses = order.map((from, rank) => {
    ranks[from] = rank;
    return flat[from] as string;
  });
  return { addresses, starts, ranks };
}
