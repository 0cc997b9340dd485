/**
 * Records of internal data groups as the box keeps them: keys normalised by type, sorted, each once. A list of records
 * is never changed: a write makes a new one and shares the records that stay.
 */
import { networkOrder, networkText, parseNetwork } from '../address.ts';
import type { Properties } from '../box-config.ts';
import { alreadyExists, badValue, invalidProperty, notFound, tooLong } from '../mcpd-errors.ts';
import { named } from '../property-values.ts';
import type { RecordBatch } from './record-options.ts';

export type GroupType = 'ip' | 'string' | 'integer';

export const GROUP_TYPES: readonly GroupType[] = ['ip', 'string', 'integer'];

export interface DataRecord {
  name: string;
  /** Absent and empty are the same; which of the two is shown depends on the version. */
  data?: string;
}

/** Of a key and of a value, in bytes. */
const MAX_TEXT_BYTES = 65_520;

/** What mcpd calls a record of each type. */
const ITEM: Record<GroupType, string> = {
  ip: 'class address item',
  string: 'class string item',
  integer: 'class integer item',
};

interface Target {
  fullPath: string;
  partition: string;
  type: GroupType;
  /** Whether a record without a value shows `data: ""`. */
  emptyData: boolean;
}

interface Keyed {
  order: string | number;
  record: DataRecord;
}

export function recordsOf(body: Properties, target: Target): DataRecord[] {
  const found = new Map<string, Keyed>();
  for (const { name, data } of named(body, 'records')) add(found, keyed(name, data, target), target);
  return sorted(found);
}

/** All of a batch, or none of it. */
export function withBatch(before: readonly DataRecord[], batch: RecordBatch, target: Target): DataRecord[] {
  const found = new Map(before.map((record) => [record.name, { order: keyOf(record.name, target).order, record }]));
  if (batch.verb === 'replace-all-with') found.clear();
  for (const { name, data } of batch.records) {
    if (batch.verb === 'delete') remove(found, name, target);
    else if (batch.verb === 'modify') replace(found, keyed(name, data, target), target);
    else add(found, keyed(name, data, target), target);
  }
  return sorted(found);
}

/** `load sys config merge`: a key that stands gets the new value, others stay. */
export function withMerged(before: readonly DataRecord[], body: Properties, target: Target): DataRecord[] {
  const found = new Map(before.map((record) => [record.name, { order: keyOf(record.name, target).order, record }]));
  for (const { name, data } of named(body, 'records')) {
    const made = keyed(name, data, target);
    found.set(made.record.name, made);
  }
  return sorted(found);
}

/** Canonical form of a key of this type, and what it is sorted by. Throws BoxError. */
export function keyOf(name: string, { type }: Pick<Target, 'type'>): { name: string; order: string | number } {
  if (type === 'string') {
    checkLength(name, 'name', 'class_string_item');
    if (name === '') throw invalidProperty('name', '');
    return { name, order: name };
  }
  if (type === 'integer') {
    const value = Number(name);
    if (!/^-?\d{1,18}$/.test(name) || !Number.isSafeInteger(value)) throw badValue('class integer item', name);
    return { name: String(value), order: value };
  }
  const network = parseNetwork(name);
  if (network === null) throw badValue('class address item', name);
  return { name: networkText(network), order: networkOrder(network) };
}

function keyed(name: string, data: unknown, target: Target): Keyed {
  const key = keyOf(name, target);
  const value = typeof data === 'number' ? String(data) : (data ?? '');
  if (typeof value !== 'string') throw invalidProperty('data', data);
  checkLength(value, 'data', 'class_value_item');
  if (value === '' && !target.emptyData) return { order: key.order, record: { name: key.name } };
  return { order: key.order, record: { name: key.name, data: value } };
}

function add(found: Map<string, Keyed>, made: Keyed, target: Target): void {
  const { name } = made.record;
  if (found.has(name)) throw alreadyExists(ITEM[target.type], `${target.fullPath} ${name}`, target.partition);
  found.set(name, made);
}

function replace(found: Map<string, Keyed>, made: Keyed, target: Target): void {
  const { name } = made.record;
  if (!found.has(name)) throw notFound(ITEM[target.type], `${target.fullPath} ${name}`);
  found.set(name, made);
}

function remove(found: Map<string, Keyed>, said: string, target: Target): void {
  const { name } = keyOf(said, target);
  if (!found.delete(name)) throw notFound(ITEM[target.type], `${target.fullPath} ${name}`);
}

function sorted(found: Map<string, Keyed>): DataRecord[] {
  return [...found.values()]
    .sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
    .map(({ record }) => record);
}

function checkLength(text: string, attribute: string, type: string): void {
  // A character is at most three bytes of UTF-8 for each unit of a JavaScript string: most texts need no count.
  if (text.length * 3 <= MAX_TEXT_BYTES) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEXT_BYTES) throw tooLong(attribute, type, MAX_TEXT_BYTES, bytes);
}
