/**
 * Which addresses a store or a mirror may have. Machines, also private ones; never what answers for the machine itself or
 * for the cloud beneath it: whoever can write a URL or a DNS answer could otherwise aim this service at them. A form that
 * carries an IPv4 address inside an IPv6 one is judged by the address inside.
 */
import { BlockList } from 'node:net';
import { formatAddress, parseAddress } from '@edgeward/policy';

/** Why this address is not connected to, or null. `loopback`: the URL named a loopback address itself. */
export function addressRefusal(text: string, options: { loopback: boolean }): string | null {
  const key = parseAddress(text);
  if (key === null) return 'is no address';
  if (isLoopbackKey(key)) return options.loopback ? null : 'is a loopback address that the URL does not name';
  const inside = embeddedIn(key);
  if (inside !== null && (isLoopbackKey(inside) || isRefused(inside)))
    return 'carries an address that is never a store';
  return isRefused(key) ? 'is link-local, a metadata service, unspecified, multicast or reserved' : null;
}

/** Of 127.0.0.0/8 and ::1, in their usual form only. */
export function isLoopbackLiteral(host: string): boolean {
  const key = parseAddress(host);
  return key !== null && isLoopbackKey(key) && formatAddress(key) === host;
}

function isLoopbackKey(key: string): boolean {
  return key.length === 8 ? key.startsWith('7f') : key === LOOPBACK_6;
}

const LOOPBACK_6 = '1'.padStart(32, '0');

function isRefused(key: string): boolean {
  return REFUSED.check(formatAddress(key), key.length === 8 ? 'ipv4' : 'ipv6');
}

/** IPv4-mapped is folded by the parser already. */
function embeddedIn(key: string): string | null {
  if (key.length === 8) return null;
  // NAT64 (RFC 6052), IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-translated (RFC 2765).
  for (const prefix of ['0064ff9b0000000000000000', '000000000000000000000000', '0000000000000000ffff0000'])
    if (key.startsWith(prefix)) return key.slice(24);
  // 6to4 (RFC 3056).
  return key.startsWith('2002') ? key.slice(4, 12) : null;
}

const REFUSED = refusedAddresses();

function refusedAddresses(): BlockList {
  const list = new BlockList();
  list.addSubnet('0.0.0.0', 8);
  list.addSubnet('169.254.0.0', 16);
  list.addSubnet('224.0.0.0', 4);
  list.addSubnet('240.0.0.0', 4);
  // What clouds answer their machines at, beside 169.254.169.254: Alibaba, Azure, Oracle.
  for (const address of ['100.100.100.200', '168.63.129.16', '192.0.0.192']) list.addAddress(address);
  list.addAddress('::', 'ipv6');
  list.addSubnet('fe80::', 10, 'ipv6');
  list.addSubnet('fec0::', 10, 'ipv6');
  list.addSubnet('ff00::', 8, 'ipv6');
  // AWS.
  list.addSubnet('fd00:ec2::', 32, 'ipv6');
  return list;
}
