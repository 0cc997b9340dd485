/**
 * One line of ulogd, read. Nothing in it is believed: it is ours only with a prefix that our rules write, and whole only with
 * addresses and ports that are some. Pure.
 */
import { formatAddress, parseAddress } from '@edgeward/policy';

/** A packet that was denied, or would have been. */
export interface Sample {
  hook: 'input' | 'forward';
  generation: number;
  /** The first 8 hex of its policy's hash. */
  policy: string;
  source: string;
  sourcePort: number;
  destination: string;
  /** `tcp/22`, as it stands in the packet. */
  port: string;
  /** When the kernel saw it; null where the line does not say. */
  atMs: number | null;
}

/** `foreign`: a sample of somebody else's rule. */
export type ReadLine = { state: 'sample'; sample: Sample } | { state: 'foreign' } | { state: 'unreadable' };

const PREFIX = /^ew1\|([if])\|(\d{1,5})\|([0-9a-f]{8})$/;
const PROTOCOLS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp' };
/** Ulogd writes about 800 bytes. */
export const MAX_LINE_BYTES: number = 16 * 1024;

export function readSampleLine(line: string): ReadLine {
  const value = line.length > MAX_LINE_BYTES ? null : lastObjectIn(line);
  if (value === null) return { state: 'unreadable' };
  const prefix = value['oob.prefix'];
  if (typeof prefix !== 'string' || !prefix.startsWith('ew1|')) return { state: 'foreign' };
  const sample = sampleOf(prefix, value);
  return sample === null ? { state: 'unreadable' } : { state: 'sample', sample };
}

function sampleOf(prefix: string, value: Record<string, unknown>): Sample | null {
  const [, hook, generation, policy] = PREFIX.exec(prefix) ?? [];
  const [source, destination] = [addressIn(value.src_ip), addressIn(value.dest_ip)];
  const [sourcePort, port] = [portIn(value.src_port), portIn(value.dest_port)];
  const protocol = PROTOCOLS[Number(value['ip.protocol'])];
  if (policy === undefined || source === null || destination === null) return null;
  if (sourcePort === null || port === null || protocol === undefined) return null;
  return {
    hook: hook === 'i' ? 'input' : 'forward',
    generation: Number(generation),
    policy,
    source,
    sourcePort,
    destination,
    port: `${protocol}/${port}`,
    atMs: timeIn(value),
  };
}

/** A writer that was killed leaves half a line, and the next one goes on behind it. */
function lastObjectIn(line: string): Record<string, unknown> | null {
  return objectIn(line) ?? objectIn(line.slice(Math.max(0, line.lastIndexOf('{'))));
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function addressIn(value: unknown): string | null {
  const key = typeof value === 'string' ? parseAddress(value) : null;
  return key === null ? null : formatAddress(key);
}

function portIn(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535 ? value : null;
}

function timeIn(value: Record<string, unknown>): number | null {
  const [seconds, micros] = [value['oob.time.sec'], value['oob.time.usec']];
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds) || seconds <= 0) return null;
  return seconds * 1000 + (typeof micros === 'number' ? Math.floor(micros / 1000) : 0);
}
