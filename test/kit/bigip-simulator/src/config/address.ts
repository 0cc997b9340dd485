/**
 * Addresses as the box writes them: `10.0.0.0%2/8`, `2001:db8::/32`. Canonical text in, canonical text out; `%0` is the
 * default route domain and is never written.
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface Address {
  family: 4 | 6;
  /** 16 bits each: two of IPv4, eight of IPv6. */
  groups: number[];
  routeDomain: number;
}

export interface Network extends Address {
  prefixLength: number;
}

const ROUTE_DOMAIN = /^(0|[1-9]\d{0,4})$/;

/** `10.0.0.1`, `10.0.0.1%2`, `2001:db8::1%2`; null when it is none. */
export function parseAddress(text: string): Address | null {
  const percent = text.indexOf('%');
  const bare = percent === -1 ? text : text.slice(0, percent);
  const domain = percent === -1 ? '0' : text.slice(percent + 1);
  if (!ROUTE_DOMAIN.test(domain) || Number(domain) > 65534) return null;
  const routeDomain = Number(domain);
  if (isIPv4(bare)) return { family: 4, groups: groupsOf4(bare), routeDomain };
  if (isIPv6(bare)) return { family: 6, groups: groupsOf6(bare), routeDomain };
  return null;
}

/** An address, or one with `/length` or `/mask`. Bits of the host are cleared. */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === null) return null;
  const bits = address.groups.length * 16;
  const prefixLength = slash === -1 ? bits : lengthOf(text.slice(slash + 1), bits);
  if (prefixLength === null) return null;
  return { ...address, groups: cleared(address.groups, prefixLength), prefixLength };
}

export function addressText({ family, groups, routeDomain }: Address): string {
  const bare = family === 4 ? text4(groups) : text6(groups);
  return routeDomain === 0 ? bare : `${bare}%${routeDomain}`;
}

export const networkText = (network: Network): string => `${addressText(network)}/${network.prefixLength}`;

/** Texts of equal length of which the smaller is the smaller network. */
export function networkOrder({ family, groups, routeDomain, prefixLength }: Network): string {
  const address = groups.map((group) => group.toString(16).padStart(4, '0')).join('');
  return `${family}${address.padEnd(32, '0')}${String(routeDomain).padStart(5, '0')}${String(prefixLength).padStart(3, '0')}`;
}

/** `255.255.255.255`, `ffff:ffff:…` */
export const hostMask = (family: 4 | 6): string =>
  family === 4 ? '255.255.255.255' : Array.from({ length: 8 }, () => 'ffff').join(':');

function lengthOf(text: string, bits: number): number | null {
  if (/^(0|[1-9]\d{0,2})$/.test(text)) return Number(text) <= bits ? Number(text) : null;
  const mask = bits === 32 && isIPv4(text) ? groupsOf4(text) : bits === 128 && isIPv6(text) ? groupsOf6(text) : null;
  if (mask === null) return null;
  const ones = mask.map((group) => group.toString(2).padStart(16, '0')).join('');
  return /^1*0*$/.test(ones) ? ones.replace(/0+$/, '').length : null;
}

function cleared(groups: number[], prefixLength: number): number[] {
  return groups.map((group, index) => {
    const kept = Math.min(16, Math.max(0, prefixLength - index * 16));
    return group & (0xffff << (16 - kept)) & 0xffff;
  });
}

function groupsOf4(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

function groupsOf6(text: string): number[] {
  const [left = '', right] = text.split('::');
  const before = hexGroups(left);
  if (right === undefined) return before;
  const after = hexGroups(right);
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

function hexGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => (part.includes('.') ? groupsOf4(part) : [Number.parseInt(part, 16)]));
}

const text4 = (groups: number[]): string => groups.map((group) => `${group >> 8}.${group & 255}`).join('.');

function text6(groups: number[]): string {
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `::ffff:${text4(groups.slice(6))}`;
  const run = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

function longestZeros(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}
