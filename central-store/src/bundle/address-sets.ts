import { compareKeys, type Interval, union } from '@edgeward/policy';

/** Sets of addresses, compared and measured. */

/** Whether `outer` holds everything that `inner` holds. */
export function covers(outer: readonly Interval[], inner: readonly Interval[]): boolean {
  return isWithin(inner, joined(outer));
}

/** Sorted, with neighbours joined: what is covered lies in one of them whole. */
export function joined(set: readonly Interval[]): Interval[] {
  return union([...set]);
}

/** As `covers`, for an `outer` that is joined and asked often. */
export function isWithin(inner: readonly Interval[], outer: readonly Interval[]): boolean {
  return inner.every((it) => {
    let low = 0;
    let high = outer.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(outer[middle]?.lo ?? it.lo, it.lo) <= 0) low = middle + 1;
      else high = middle;
    }
    const over = outer[low - 1];
    return over !== undefined && over.lo.length === it.lo.length && it.hi <= over.hi;
  });
}

export function overlaps(a: readonly Interval[], b: readonly Interval[]): boolean {
  return a.some((it) => b.some((other) => it.lo.length === other.lo.length && it.lo <= other.hi && other.lo <= it.hi));
}

export function isSame(a: readonly Interval[], b: readonly Interval[]): boolean {
  return covers(a, b) && covers(b, a);
}

/** How many prefixes of /8 (IPv4) or /16 (IPv6) make a source one that could be anybody, however it is cut up. */
const MANY_PREFIXES = 4;

/** More than a prefix of /8 (IPv4) or /16 (IPv6) in one piece, also of several that touch, or many such prefixes. */
export function isWide(set: readonly Interval[]): boolean {
  const pieces = joined(set);
  if (pieces.some((it) => sizeOf(it) > prefixOf(it))) return true;
  return pieces.reduce((sum, it) => sum + Number(sizeOf(it)) / Number(prefixOf(it)), 0) > MANY_PREFIXES;
}

function sizeOf({ lo, hi }: Interval): bigint {
  return BigInt(`0x${hi}`) - BigInt(`0x${lo}`) + 1n;
}

/** Addresses in a /8, or in an IPv6 /16. */
function prefixOf({ lo }: Interval): bigint {
  return 1n << (lo.length === 8 ? 24n : 112n);
}
