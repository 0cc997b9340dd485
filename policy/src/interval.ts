import type { AddressKey, Interval } from './address.ts';
import { intervalSize, predecessor, successor } from './address.ts';
import { compareText } from './text-order.ts';

/**
 * Sets of addresses as sorted disjoint intervals. IPv4 sorts before IPv6 and the two never meet, because keys of
 * different length are never compared with each other.
 */

/** An interval and a small number that belongs to it. */
export interface Labelled {
  lo: AddressKey;
  hi: AddressKey;
  value: number;
}

export function compareKeys(a: AddressKey, b: AddressKey): number {
  return a.length === b.length ? compareText(a, b) : a.length - b.length;
}

/** The union: sorted, disjoint, with neighbours joined. */
export function union(intervals: Interval[]): Interval[] {
  const sorted = intervals.slice().sort((a, b) => compareKeys(a.lo, b.lo));
  const out: Interval[] = [];
  let last: Interval | null = null;
  for (let i = 0; i < sorted.length; i += 1) {
    const next = sorted[i] as Interval;
    if (last !== null && touches(last, next.lo)) {
      if (next.hi > last.hi) last.hi = next.hi;
    } else {
      last = { lo: next.lo, hi: next.hi };
      out.push(last);
    }
  }
  return out;
}

/** What is in `from` and not in `taken`; both must be unions. */
export function subtract(from: Interval[], taken: Interval[]): Interval[] {
  if (taken.length === 0) return from;
  const out: Interval[] = [];
  let t = 0;
  for (let i = 0; i < from.length; i += 1) {
    const hi = (from[i] as Interval).hi;
    let lo: AddressKey | null = (from[i] as Interval).lo;
    while (t < taken.length && compareKeys((taken[t] as Interval).hi, lo) < 0) t += 1;
    for (let j = t; lo !== null && j < taken.length; j += 1) {
      const cut = taken[j] as Interval;
      if (compareKeys(cut.lo, hi) > 0) break;
      if (compareKeys(cut.lo, lo) > 0) out.push({ lo, hi: predecessor(cut.lo) as AddressKey });
      lo = compareKeys(cut.hi, hi) >= 0 ? null : successor(cut.hi);
    }
    if (lo !== null) out.push({ lo, hi });
  }
  return out;
}

export function contains(set: Interval[], key: AddressKey): boolean {
  let from = 0;
  let to = set.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const interval = set[middle] as Interval;
    if (compareKeys(key, interval.lo) < 0) to = middle;
    else if (compareKeys(key, interval.hi) > 0) from = middle + 1;
    else return true;
  }
  return false;
}

/** Where `within` meets the entries of a sorted disjoint list, each cut to it. */
export function eachOverlap<T extends Interval>(
  within: Interval,
  list: T[],
  visit: (lo: AddressKey, hi: AddressKey, entry: T) => void,
): void {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys((list[middle] as T).hi, within.lo) < 0) from = middle + 1;
    else to = middle;
  }
  for (let i = from; i < list.length; i += 1) {
    const it = list[i] as T;
    if (compareKeys(it.lo, within.hi) > 0) return;
    // One that is met is of the same family, so plain comparison is enough.
    visit(it.lo > within.lo ? it.lo : within.lo, it.hi < within.hi ? it.hi : within.hi, it);
  }
}

/** What is in both; both must be sorted and disjoint. */
export function intersect(one: Interval[], other: Interval[]): Interval[] {
  const out: Interval[] = [];
  const few = one.length < other.length ? one : other;
  const many = few === one ? other : one;
  few.forEach((it) => {
    eachOverlap(it, many, (lo, hi) => {
      out.push({ lo, hi });
    });
  });
  return out;
}

export function sizeOf(intervals: Interval[]): number {
  return intervals.reduce((sum, it) => sum + intervalSize(it), 0);
}

function touches(last: Interval, lo: AddressKey): boolean {
  if (last.hi.length !== lo.length) return false;
  return lo <= last.hi || successor(last.hi) === lo;
}
