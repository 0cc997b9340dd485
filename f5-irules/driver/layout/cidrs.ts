import { type AddressKey, formatAddress } from '@edgeward/policy';

/** Addresses as BIG-IP writes them: `10.0.0.0/24`, in a route domain `10.0.0.0%2/24`. */
export interface Cidr {
  lo: AddressKey;
  prefix: number;
}

/** The fewest CIDRs that cover the interval, in order. */
export function* cidrsOf(lo: AddressKey, hi: AddressKey): Generator<Cidr> {
  const bits = lo.length * 4;
  if (lo === hi) {
    yield { lo, prefix: bits };
    return;
  }
  let first = BigInt(`0x${lo}`);
  const last = BigInt(`0x${hi}`);
  while (first <= last) {
    let free = 0n;
    // The largest block that begins here and does not reach past the end.
    while (free < bits && (first & (1n << free)) === 0n && first + (1n << (free + 1n)) - 1n <= last) free += 1n;
    yield { lo: first.toString(16).padStart(lo.length, '0'), prefix: bits - Number(free) };
    first += 1n << free;
  }
}

/** As a record's name, in the form that the box itself gives it. */
export function recordName({ lo, prefix }: Cidr, routeDomain: number): string {
  return `${formatAddress(lo)}${domainSuffix(routeDomain)}/${prefix}`;
}

/** As a line of an external group's file begins. */
export function fileName({ lo, prefix }: Cidr, routeDomain: number): string {
  const address = `${formatAddress(lo)}${domainSuffix(routeDomain)}`;
  return prefix === lo.length * 4 ? `host ${address}` : `network ${address} prefixlen ${prefix}`;
}

/** The default domain is never written: the box drops `%0`. */
function domainSuffix(routeDomain: number): string {
  return routeDomain === 0 ? '' : `%${routeDomain}`;
}
