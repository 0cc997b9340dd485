/**
 * Who may come, for measurements at an NGINX: lists of CIDRs as large as asked for, the same each time, with sources inside
 * and outside of them. The mix is that of lists that people keep: 60 % single addresses, 25 % /24, 8 % /28, 5 % /20, 2 % /16,
 * drawn over all of IPv4's unicast space, so that they overlap as such lists do.
 */
const MIX: readonly (readonly [share: number, prefix: number])[] = [
  [0.6, 32],
  [0.85, 24],
  [0.93, 28],
  [0.98, 20],
  [1, 16],
];
const FIRST = 0x01000000;
const BEHIND_LAST = 0xdf000000;

/** Prefix lengths that a list has, the most frequent first. */
export const PREFIXES: readonly number[] = MIX.map(([, prefix]) => prefix);

export interface Cidr {
  network: number;
  prefix: number;
}

export interface Range {
  from: number;
  to: number;
}

/** Numbers from 0 to below 1 that look random, and are the same for the same seed (mulberry32). */
export function numbersOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function cidrsOf(count: number, seed = 1): Cidr[] {
  const next = numbersOf(seed);
  return Array.from({ length: count }, () => {
    const share = next();
    const prefix = MIX.find(([upTo]) => share < upTo)?.[1] ?? 32;
    const address = FIRST + Math.floor(next() * (BEHIND_LAST - FIRST));
    return { network: firstOf(address, prefix), prefix };
  });
}

/** Disjoint and sorted; what touches is one. */
export function rangesOf(cidrs: readonly Cidr[]): Range[] {
  const sorted = cidrs
    .map(({ network, prefix }) => ({ from: network, to: network + 2 ** (32 - prefix) - 1 }))
    .sort((a, b) => a.from - b.from);
  const joined: Range[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last === undefined || range.from > last.to + 1) joined.push(range);
    else last.to = Math.max(last.to, range.to);
  }
  return joined;
}

/** `inside` of some of these CIDRs, `outside` of all: addresses as text. */
export function sourcesOf(cidrs: readonly Cidr[], count: number): { inside: string[]; outside: string[] } {
  const [next, ranges] = [numbersOf(7), rangesOf(cidrs)];
  const inside = Array.from({ length: count }, () => {
    const { network, prefix } = cidrs[Math.floor(next() * cidrs.length)] ?? { network: 0, prefix: 32 };
    return addressOf(network + Math.floor(next() * 2 ** (32 - prefix)));
  });
  const outside: string[] = [];
  while (outside.length < count) {
    const address = FIRST + Math.floor(next() * (BEHIND_LAST - FIRST));
    if (!covers(ranges, address)) outside.push(addressOf(address));
  }
  return { inside, outside };
}

export function covers(ranges: readonly Range[], address: number): boolean {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range === undefined || address < range.from) high = middle;
    else if (address > range.to) low = middle + 1;
    else return true;
  }
  return false;
}

export function addressOf(address: number): string {
  return [24, 16, 8, 0].map((bits) => (address >>> bits) & 255).join('.');
}

export function cidrText({ network, prefix }: Cidr): string {
  return `${addressOf(network)}/${prefix}`;
}

export function firstOf(address: number, prefix: number): number {
  return prefix === 32 ? address : (address >>> (32 - prefix)) * 2 ** (32 - prefix);
}
