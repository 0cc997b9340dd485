/**
 * Addresses as big integers, for the oracle alone. It promises to read every textual form of an address and to be too
 * simple to be wrong: a CIDR is its first and its last address. Nothing here is fast.
 */

export interface Address {
  family: 4 | 6;
  value: bigint;
}

export interface Cidr {
  family: 4 | 6;
  first: bigint;
  last: bigint;
}

const MAPPED = 0xffffn << 32n;

const readIpv4 = (text: string): bigint | null => {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((value, part) => value * 256n + BigInt(part), 0n);
};

/** Groups on one side of `::`; a dotted tail counts as two. */
const readGroups = (text: string): bigint[] | null => {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const dotted = index === parts.length - 1 && part.includes('.') ? readIpv4(part) : null;
    if (dotted !== null) groups.push(dotted >> 16n, dotted & 0xffffn);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`));
    else return null;
  }
  return groups;
};

const readIpv6 = (text: string): bigint | null => {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = readGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? readGroups(halves[1] ?? '') : [];
  if (head === null || tail === null) return null;
  // A dotted quad may only end the address.
  if (halves.length === 2 && halves[0]?.includes('.')) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...Array<bigint>(missing).fill(0n), ...tail];
  return groups.reduce((value, group) => value * 65536n + group, 0n);
};

const isMapped = (value: bigint): boolean => value >> 32n === 0xffffn;

/** null when the text is no address. IPv4-mapped IPv6 is the IPv4 address. */
export const readAddress = (text: string): Address | null => {
  const ipv4 = readIpv4(text);
  if (ipv4 !== null) return { family: 4, value: ipv4 };
  const ipv6 = readIpv6(text);
  if (ipv6 === null) return null;
  return isMapped(ipv6) ? { family: 4, value: ipv6 - MAPPED } : { family: 6, value: ipv6 };
};

/** A CIDR, or a single address. A CIDR that lies wholly among the IPv4-mapped addresses is one of IPv4. */
export const readCidr = (text: string): Cidr => {
  const [base = '', prefixText] = text.split('/');
  const address = readAddress(base);
  if (address === null) throw new Error(`the oracle reads no CIDR in '${text}'`);
  const written = base.includes(':') ? 128 : 32;
  const prefix = prefixText === undefined ? written : Number(prefixText);
  const size = 1n << BigInt(written - prefix);
  if (written === 128 && address.family === 4 && prefix < 96) throw new Error(`'${text}' mixes families`);
  return { family: address.family, first: address.value, last: address.value + size - 1n };
};

export const contains = (cidr: Cidr, address: Address): boolean =>
  cidr.family === address.family && address.value >= cidr.first && address.value <= cidr.last;

export const anyContains = (cidrs: string[], address: Address): boolean =>
  cidrs.some((cidr) => contains(readCidr(cidr), address));

/** The shortest text that reads back as this address. */
export const writeAddress = ({ family, value }: Address): string => {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  return [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((value >> shift) & 0xffffn).toString(16)).join(':');
};
