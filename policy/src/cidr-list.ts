import type { AddressKey, Interval } from './address.ts';
import { formatAddress, parseCidr, successor, withHostBits } from './address.ts';
import { union } from './interval.ts';

/**
 * Sets of addresses as lists of CIDRs, in one spelling: the fewest there can be, sorted by address with IPv4 first, each
 * with its prefix length. Lists that hold the same addresses are the same list.
 */

/** The list for what these intervals cover together. */
export function cidrsOf(intervals: Interval[]): string[] {
  const out: string[] = [];
  union(intervals).forEach((it) => {
    let lo: AddressKey | null = it.lo;
    while (lo !== null && lo <= it.hi) {
      const prefix = widestPrefix(lo, it.hi);
      out.push(`${formatAddress(lo)}/${prefix}`);
      lo = successor(withHostBits(lo, prefix, 1));
    }
  });
  return out;
}

/** What the list covers, sorted and joined; null when an entry is no CIDR or has host bits. */
export function parseCidrs(cidrs: readonly string[]): Interval[] | null {
  const out: Interval[] = [];
  for (let i = 0; i < cidrs.length; i += 1) {
    const interval = parseCidr(cidrs[i] as string);
    if (interval === null || interval === 'host-bits') return null;
    out.push(interval);
  }
  return union(out);
}

/** The shortest prefix of a block that begins at `lo` and does not go beyond `hi`. */
function widestPrefix(lo: AddressKey, hi: AddressKey): number {
  const bits = lo.length * 4;
  let prefix = bits;
  while (prefix > 0) {
    const wider = prefix - 1;
    if (withHostBits(lo, wider, 0) !== lo || withHostBits(lo, wider, 1) > hi) break;
    prefix = wider;
  }
  return prefix;
}
