/**
 * Whether two values that were read from JSON are written alike in canonical form. The order of keys is nothing to it; a key
 * without a value is another key.
 */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && areSame(a, b);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && isSameJson(valueIn(a, key), valueIn(b, key)));
}

function areSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((it, at) => isSameJson(it, b[at]));
}

function valueIn(mapping: object, key: string): unknown {
  return (mapping as Record<string, unknown>)[key];
}
