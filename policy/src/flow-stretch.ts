import type { AddressKey, Interval } from './address.ts';
import { predecessor, successor } from './address.ts';
import { compareKeys } from './interval.ts';

/** Two lists of addresses side by side: where each begins and ends, and what either says there. */
export interface Said<T> extends Interval {
  value: T;
}

/**
 * Every stretch of addresses in which neither side changes what it says, in order; where both say nothing is left out.
 * Both lists must be sorted and disjoint.
 */
export function eachStretch<T>(
  before: readonly Said<T>[],
  after: readonly Said<T>[],
  visit: (lo: AddressKey, hi: AddressKey, before: T | null, after: T | null) => void,
): void {
  const a = cursor(before);
  const b = cursor(after);
  for (;;) {
    const old = a.rest();
    const now = b.rest();
    if (old === null && now === null) return;
    const order = old === null ? 1 : now === null ? -1 : compareKeys(old.lo, now.lo);
    const isOld = old !== null && order <= 0;
    const isNow = now !== null && order >= 0;
    const lo = (isOld ? old : (now as Said<T>)).lo;
    const hi = isOld && isNow ? least(old.hi, now.hi) : isOld ? upTo(old, now) : upTo(now as Said<T>, old);
    visit(lo, hi, isOld ? old.value : null, isNow ? now.value : null);
    if (isOld) a.pass(hi);
    if (isNow) b.pass(hi);
  }
}

function least(one: AddressKey, other: AddressKey): AddressKey {
  return compareKeys(one, other) <= 0 ? one : other;
}

/** The end of this one, or where the other side begins within it. */
function upTo(said: Interval, other: Interval | null): AddressKey {
  if (other === null || compareKeys(other.lo, said.hi) > 0) return said.hi;
  return predecessor(other.lo) as AddressKey;
}

/** What is left of a list: the first without what was passed already. */
function cursor<T>(list: readonly Said<T>[]): { rest(): Said<T> | null; pass(hi: AddressKey): void } {
  let at = 0;
  let rest = list[0] ?? null;
  return {
    rest: () => rest,
    pass(hi) {
      const said = list[at] as Said<T>;
      const isWhole = said.hi === hi;
      if (isWhole) at += 1;
      rest = isWhole ? (list[at] ?? null) : { lo: successor(hi) as AddressKey, hi: said.hi, value: said.value };
    },
  };
}

/** Joins an interval to the last one where they touch. */
export function addSpan(spans: Interval[], lo: AddressKey, hi: AddressKey): void {
  const last = spans[spans.length - 1];
  if (last !== undefined && last.hi.length === lo.length && successor(last.hi) === lo) last.hi = hi;
  else spans.push({ lo, hi });
}
