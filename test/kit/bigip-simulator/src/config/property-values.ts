/** Unknown JSON in, typed out. What does not fit is refused with the name of the property. */
import type { Properties } from './box-config.ts';
import { invalidProperty } from './mcpd-errors.ts';

/** Ways to say "nothing": the box shows none of them. */
export const isAbsent = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  value === false ||
  (Array.isArray(value) && value.length === 0);

export const isProperties = (value: unknown): value is Properties =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A name or a number as text; undefined when absent or `none`. */
export function text(properties: Properties, property: string): string | undefined {
  const value = properties[property];
  if (isAbsent(value) || value === 'none') return undefined;
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') throw invalidProperty(property, value);
  return value;
}

/** A list, or nothing; `none` empties it. */
function list(properties: Properties, property: string): unknown[] {
  const value = properties[property];
  if (isAbsent(value) || value === 'none') return [];
  if (!Array.isArray(value)) throw invalidProperty(property, value);
  return value;
}

/** What a list of named things holds: `"x"`, `{ "name": "x", … }`. */
export function named(properties: Properties, property: string): (Properties & { name: string })[] {
  return list(properties, property).map((item) => {
    if (typeof item === 'string' || typeof item === 'number') return { name: String(item) };
    if (!isProperties(item)) throw invalidProperty(property, item);
    const name = typeof item.name === 'number' ? String(item.name) : item.name;
    if (typeof name !== 'string') throw invalidProperty('name', item.name);
    return { ...item, name };
  });
}

export function words(properties: Properties, property: string): string[] {
  return list(properties, property).map((item) => {
    if (typeof item !== 'string' || item === '') throw invalidProperty(property, item);
    return item;
  });
}

export function oneOf<T extends string>(
  properties: Properties,
  property: string,
  accepted: readonly T[],
): T | undefined {
  const value = text(properties, property);
  if (value === undefined) return undefined;
  const found = accepted.find((candidate) => candidate === value);
  if (found === undefined) throw invalidProperty(property, value);
  return found;
}

/** What REST adds around the properties; a client that sends back what it read means nothing by it. */
const AROUND = new Set(['kind', 'name', 'partition', 'subPath', 'fullPath', 'generation', 'selfLink']);

export function withoutFrame(body: Properties): Properties {
  return Object.fromEntries(
    Object.entries(body).filter(([key]) => !AROUND.has(key) && !(key.endsWith('Reference') && key !== 'Reference')),
  );
}

export const withoutAbsent = (properties: Properties): Properties =>
  Object.fromEntries(Object.entries(properties).filter(([, value]) => !isAbsent(value)));
