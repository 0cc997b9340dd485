/**
 * The TCP connections that this host has now, as the kernel lists them in /proc/net/tcp and tcp6. Needs no right and no
 * program. Reads, and judges nothing.
 */
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { systemCodeOf } from '@edgeward/runtime';

/** An established connection. */
export interface Session {
  localPort: number;
  /** The address of the other end, canonical as text; an IPv4 one is never written as IPv6. */
  peer: string;
}

const ESTABLISHED = '01';
const LINE = /^\s*\d+: ([0-9A-F]{8,32}):([0-9A-F]{4}) ([0-9A-F]{8,32}):([0-9A-F]{4}) ([0-9A-F]{2}) /;

/** Pure. Lines that are none are passed over. */
export function parseSessions(text: string): Session[] {
  return text.split('\n').flatMap((line) => {
    const [, , port = '', peer = '', , state] = LINE.exec(line) ?? [];
    return state === ESTABLISHED ? [{ localPort: Number.parseInt(port, 16), peer: addressIn(peer) }] : [];
  });
}

/** Words of 32 bits in the order of this machine, which is little-endian wherever Node runs an agent. */
function addressIn(hex: string): string {
  const bytes = Buffer.from(hex, 'hex').swap32();
  if (bytes.length === 4) return [...bytes].join('.');
  if (bytes.subarray(0, 12).equals(MAPPED)) return [...bytes.subarray(12)].join('.');
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return groups.join(':');
}

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/**
 * Of this network namespace, without those to the host itself: they never leave it, and no policy judges them. Throws where they
 * can't be read: who knows of no session would cut all of them. `root` stands before every path.
 */
export async function readSessions(root = ''): Promise<Session[]> {
  const texts = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((path) => textOf(`${root}${path}`)));
  const own = ownAddresses();
  return texts.flatMap(parseSessions).filter(({ peer }) => !isOwn(peer, own));
}

/** A kernel without that family has no such file. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return '';
    throw thrown;
  });
}

/** In one spelling. */
export function ownAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => spelled(address)));
}

export function isOwn(address: string, own: ReadonlySet<string>): boolean {
  const one = spelled(address.replace(/^::ffff:(?=\d+\.)/i, ''));
  return own.has(one) || one.startsWith('127.') || one === spelled('::1');
}

/** `fe80::1` and `fe80:0:0:0:0:0:0:1` are one. */
function spelled(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const [before, after] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}
