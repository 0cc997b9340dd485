/**
 * Whether what a box holds is what was asked of it. A box normalises what it is given: it leaves out what is empty,
 * sorts records, writes addresses in its own way, and adds much. Nothing here asks a box.
 */
import { compareText, formatAddress, parseAddress } from '@edgeward/policy';
import type { DataRecord } from '../layout/layout.ts';
import { isObject } from './answer.ts';
import type { Json } from './icontrol.ts';

/** True when `found` has every property that was asked, in whatever form; what else it has is its own. */
export function sameObject(asked: Json, found: Json): boolean {
  return Object.entries(asked).every(([key, value]) => sameProperty(key, value, asked, found));
}

/** The records of a data group as iControl REST shows it: canonical and sorted. */
export function recordsOf(object: Json): DataRecord[] {
  return canonicalRecords(typeof object.type === 'string' ? object.type : 'string', object.records);
}

/** `type` is `ip`, `string` or `integer`. Sorted by name; absent is empty, and so is absent data. */
export function canonicalRecords(type: string, records: unknown): DataRecord[] {
  if (!Array.isArray(records)) return [];
  const canonical = records.filter(isObject).map(({ name, data }) => ({
    name: canonicalName(type, textOf(name)),
    data: textOf(data),
  }));
  return canonical.sort((a, b) => compareText(a.name, b.name));
}

/**
 * `10.0.0.1` → `10.0.0.1/32`, `2A02:0::%5/32` → `2a02::%5/32`, `10.0.0.0%0/8` → `10.0.0.0/8`. What is no address stays
 * as it is.
 */
export function canonicalAddress(text: string): string {
  const match = /^([0-9A-Fa-f.:]+)(?:%(\d{1,5}))?(?:\/(\d{1,3}))?(?:%(\d{1,5}))?$/.exec(text.trim());
  const key = match === null ? null : parseAddress(match[1] ?? '');
  if (match === null || key === null) return text;
  const isSix = text.includes(':');
  // `parseAddress` takes IPv4-mapped IPv6 for IPv4; in a data group they are two.
  const address = isSix && key.length === 8 ? `::ffff:${formatAddress(key)}` : formatAddress(key);
  const domain = Number(match[2] ?? match[4] ?? 0);
  const prefix = Number(match[3] ?? (isSix ? 128 : 32));
  return `${address}${domain === 0 ? '' : `%${domain}`}/${prefix}`;
}

function canonicalName(type: string, name: string): string {
  if (type === 'ip') return canonicalAddress(name);
  return type === 'integer' && /^\d+$/.test(name) ? name.replace(/^0+(?=\d)/, '') : name;
}

function sameProperty(key: string, asked: unknown, whole: Json, found: Json): boolean {
  if (key === 'records') return sameRecords(String(found.type ?? whole.type), asked, found.records);
  if (key === 'name' && typeof asked === 'string' && asked.startsWith('/')) return found.fullPath === asked;
  // Collections below an object are shown as a reference, with their items only where that was asked for.
  const reference = found[`${key}Reference`];
  const held = found[key] ?? (isObject(reference) ? reference.items : undefined);
  return sameValue(asked, held);
}

/** Whether two lists of records are one content. */
export function sameRecords(type: string, asked: unknown, found: unknown): boolean {
  const [one, other] = [canonicalRecords(type, asked), canonicalRecords(type, found)];
  if (one.length !== other.length) return false;
  return one.every(({ name, data }, index) => other[index]?.name === name && other[index]?.data === data);
}

function sameValue(asked: unknown, found: unknown): boolean {
  if (isEmpty(asked) || isEmpty(found)) return isEmpty(asked) && isEmpty(found);
  if (Array.isArray(asked)) return Array.isArray(found) && sameList(asked, found);
  if (isObject(asked)) return isObject(found) ? sameObject(asked, found) : asked.name === found;
  // A list of names is shown as a list of objects, where it is a collection.
  if (isObject(found)) return asked === found.fullPath || asked === found.name;
  return textOf(asked).trim() === textOf(found).trim();
}

/** Lists are in order: that of `rules` decides. Named things are not: the box sorts them. */
function sameList(asked: unknown[], found: unknown[]): boolean {
  if (asked.length !== found.length) return false;
  if (!found.every(isObject)) return asked.every((value, index) => sameValue(value, found[index]));
  return asked.every((value) => found.some((other) => sameValue(value, other)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** Numbers and booleans come as text in some versions. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
