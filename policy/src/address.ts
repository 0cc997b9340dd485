/**
 * Addresses as text that can be compared. A key is the address in lower-case hex, 8 digits for IPv4 and 32 for IPv6,
 * so that comparing keys of one family as strings compares the addresses as numbers. IPv4-mapped IPv6
 * (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2) is the IPv4 address. Nothing here knows what an address is for.
 */
export type AddressKey = string;

/** All addresses from `lo` to `hi`, both included and of one family. */
export interface Interval {
  lo: AddressKey;
  hi: AddressKey;
}

const HEX = '0123456789abcdef';
const MAPPED = '00000000000000000000ffff';

/** Every IPv4 and every IPv6 address. */
export const EVERYWHERE: Interval[] = [
  { lo: '00000000', hi: 'ffffffff' },
  { lo: '00000000000000000000000000000000', hi: 'ffffffffffffffffffffffffffffffff' },
];

/** The key of an address in text, or null when the text is no address. Leading zeros in IPv4 are refused. */
export function parseAddress(text: string): AddressKey | null {
  if (text.indexOf(':') < 0) return parseIPv4(text);
  const key = parseIPv6(text);
  return key === null ? null : foldMapped(key);
}

/** The key of an address given as raw bytes in hex, as `$binary_remote_addr` holds it. */
export function keyFromBytes(hex: string): AddressKey | null {
  if (hex.length === 8) return hex;
  return hex.length === 32 ? foldMapped(hex) : null;
}

/** `192.0.2.0/24`, or a single address. Host bits beyond the prefix are refused, as the author meant something else. */
export function parseCidr(text: string): Interval | 'host-bits' | null {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const full = address.indexOf(':') < 0 ? parseIPv4(address) : parseIPv6(address);
  if (full === null) return null;
  const bits = full.length * 4;
  const prefixText = slash < 0 ? String(bits) : text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(prefixText)) return null;
  const prefix = Number(prefixText);
  if (prefix > bits) return null;
  const lo = withHostBits(full, prefix, 0);
  if (lo !== full) return 'host-bits';
  const hi = withHostBits(full, prefix, 1);
  // A mapped prefix of at least 96 bits is an IPv4 prefix; a shorter one holds no IPv4 at all.
  if (bits === 128 && prefix >= 96 && full.slice(0, 24) === MAPPED) return { lo: lo.slice(24), hi: hi.slice(24) };
  return { lo, hi };
}

/** Dotted IPv4 or RFC 5952 IPv6. */
export function formatAddress(key: AddressKey): string {
  return key.length === 8 ? formatIPv4(key) : formatIPv6(key);
}

/** The key after this one; null after the last. */
export function successor(key: AddressKey): AddressKey | null {
  return step(key, 'f', '0', 1);
}

/** The key before this one; null before the first. */
export function predecessor(key: AddressKey): AddressKey | null {
  return step(key, '0', 'f', -1);
}

/** How many addresses; exact up to 2^53. */
export function intervalSize(interval: Interval): number {
  let size = 0;
  for (let i = 0; i < interval.lo.length; i += 8) {
    size = size * 4294967296 + parseInt(interval.hi.slice(i, i + 8), 16) - parseInt(interval.lo.slice(i, i + 8), 16);
  }
  return size + 1;
}

function step(key: AddressKey, wrapFrom: string, wrapTo: string, by: number): AddressKey | null {
  let at = key.length - 1;
  let tail = '';
  while (at >= 0 && key.charAt(at) === wrapFrom) {
    tail += wrapTo;
    at -= 1;
  }
  if (at < 0) return null;
  return key.slice(0, at) + HEX.charAt(HEX.indexOf(key.charAt(at)) + by) + tail;
}

/** The key with every bit beyond the prefix set to `bit`. */
export function withHostBits(key: AddressKey, prefix: number, bit: 0 | 1): AddressKey {
  const whole = Math.floor(prefix / 4);
  const rest = prefix % 4;
  let out = key.slice(0, whole);
  if (rest > 0) {
    const host = (1 << (4 - rest)) - 1;
    const digit = parseInt(key.charAt(whole), 16);
    out += HEX.charAt(bit === 1 ? digit | host : digit & ~host);
  }
  const fill = bit === 1 ? 'f' : '0';
  while (out.length < key.length) out += fill;
  return out;
}

function foldMapped(key: AddressKey): AddressKey {
  return key.slice(0, 24) === MAPPED ? key.slice(24) : key;
}

function parseIPv4(text: string): AddressKey | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let key = '';
  for (let i = 0; i < 4; i += 1) {
    const part = parts[i] as string;
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return null;
    const value = Number(part);
    if (value > 255) return null;
    key += HEX.charAt(value >> 4) + HEX.charAt(value & 15);
  }
  return key;
}

function parseIPv6(text: string): AddressKey | null {
  let source = text.toLowerCase();
  const lastColon = source.lastIndexOf(':');
  if (source.indexOf('.') >= 0) {
    const embedded = parseIPv4(source.slice(lastColon + 1));
    if (embedded === null) return null;
    source = `${source.slice(0, lastColon + 1)}${embedded.slice(0, 4)}:${embedded.slice(4)}`;
  }
  const gap = source.indexOf('::');
  if (gap < 0) {
    const whole = parseGroups(source);
    return whole !== null && whole.length === 32 ? whole : null;
  }
  const head = parseGroups(source.slice(0, gap));
  const tail = parseGroups(source.slice(gap + 2));
  // `::` stands for at least one group.
  if (head === null || tail === null || head.length + tail.length > 28) return null;
  let zeros = '';
  while (zeros.length < 32 - head.length - tail.length) zeros += '0';
  return head + zeros + tail;
}

function parseGroups(text: string): string | null {
  if (text === '') return '';
  const groups = text.split(':');
  let out = '';
  for (let i = 0; i < groups.length; i += 1) {
    const group = groups[i] as string;
    if (!/^[0-9a-f]{1,4}$/.test(group)) return null;
    out += `0000${group}`.slice(-4);
  }
  return out;
}

function formatIPv4(key: AddressKey): string {
  let out = String(parseInt(key.slice(0, 2), 16));
  for (let i = 2; i < 8; i += 2) out += `.${parseInt(key.slice(i, i + 2), 16)}`;
  return out;
}

function formatIPv6(key: AddressKey): string {
  const groups: string[] = [];
  for (let i = 0; i < 32; i += 4) groups.push(parseInt(key.slice(i, i + 4), 16).toString(16));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i += 1) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === '0') run += 1;
    if (run > length) {
      start = i;
      length = run;
    }
  }
  if (start < 0) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}
