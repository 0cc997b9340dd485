import { createHash } from 'node:crypto';
import { type CompiledObject, compareKeys, compareText, parseCidr } from '@edgeward/policy';
import type { DataGroup, DataRecord } from './layout.ts';
import { REQUESTS_PREFIX, SOURCES_PREFIX } from './layout.ts';
import { sourceLines, sourceRecords } from './sources.ts';

/**
 * Groups by their content. The name is a digest of the external form, because that is the one that the box reports of a
 * file; records that are read back give the same name, so that a group says itself whether it is whole.
 */

/** Above either, a group is a file: what large internal groups cost is bigip.conf, load time and every config-sync. */
const MAX_INTERNAL_RECORDS = 50_000;
const MAX_INTERNAL_BYTES = 3_500_000;
const NAME_DIGITS = 20;

/** null where nobody may reach the object. */
export function sourcesGroup(object: CompiledObject, classes: readonly string[], domain: number): DataGroup | null {
  const lines = (): Iterable<string> => sourceLines(object, classes, domain);
  const records = (): Iterable<DataRecord> => sourceRecords(object, classes, domain);
  return group('ip', SOURCES_PREFIX, lines, records);
}

/** null where no rule looks at requests. */
export function requestsGroup(requests: readonly DataRecord[]): DataGroup | null {
  const sorted = sortRecords('string', requests);
  return group(
    'string',
    REQUESTS_PREFIX,
    () => sorted.map((record) => lineOf('string', record)),
    () => sorted,
  );
}

/** The name that records read back from the box must have. */
export function groupName(type: 'ip' | 'string', records: readonly DataRecord[]): string {
  const digest = createHash('sha1');
  for (const record of sortRecords(type, records)) digest.update(lineOf(type, record));
  return nameOf(type === 'ip' ? SOURCES_PREFIX : REQUESTS_PREFIX, digest.digest('hex'));
}

function nameOf(prefix: string, sha1: string): string {
  return `${prefix}${sha1.slice(0, NAME_DIGITS)}`;
}

function group(
  type: 'ip' | 'string',
  prefix: string,
  lines: () => Iterable<string>,
  records: () => Iterable<DataRecord>,
): DataGroup | null {
  const digest = createHash('sha1');
  let size = 0;
  let bytes = 0;
  for (const line of lines()) {
    digest.update(line);
    size += 1;
    bytes += line.length;
  }
  if (size === 0) return null;
  const sha1 = digest.digest('hex');
  const external = type === 'ip' && (size > MAX_INTERNAL_RECORDS || bytes > MAX_INTERNAL_BYTES);
  const storage = external ? 'external' : 'internal';
  return { name: nameOf(prefix, sha1), type, storage, size, bytes, sha1, records, lines };
}

/** In the order of the file: the box has one of its own. */
function sortRecords(type: 'ip' | 'string', records: readonly DataRecord[]): DataRecord[] {
  if (type === 'string') return [...records].sort((a, b) => compareText(a.name, b.name));
  const keyed = records.map((record) => ({ record, key: sortKey(record.name) }));
  return keyed.sort((a, b) => compareKeys(a.key, b.key)).map(({ record }) => record);
}

function sortKey(name: string): string {
  const interval = parseCidr(name.replace(/%\d+/, ''));
  // A record that is no CIDR was not written by us: any place will do, the name differs anyway.
  return interval === null || interval === 'host-bits' ? name : interval.lo;
}

function lineOf(type: 'ip' | 'string', { name, data }: DataRecord): string {
  if (type === 'string') return `"${name}" := "${data}",\n`;
  const [address = '', prefix = ''] = name.split('/');
  const single = prefix === (address.includes(':') ? '128' : '32');
  return `${single ? `host ${address}` : `network ${address} prefixlen ${prefix}`} := "${data}",\n`;
}
