import canonicalize from 'canonicalize';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';

/**
 * RFC 8785, written and read. Reading accepts canonical bytes only: then no key can stand twice, nothing hides in white
 * space, and whoever signed a value signed these bytes. Size and depth are looked at before anything is parsed.
 */
export function canonicalJson(value: unknown): string {
  const ordered = inOrder(value, 0);
  const text = ordered === UNUSUAL ? canonicalize(value) : JSON.stringify(ordered);
  if (text === undefined) throw new TypeError('a value that JSON can not say was to be written');
  return text;
}

/** Values that `JSON.stringify` would not write as RFC 8785 says, or whose keys it would not keep in our order. */
const UNUSUAL = Symbol('unusual');
/** Half of a surrogate pair, which has no form in UTF-8. */
const HALF = /\p{Surrogate}/u;
const MOST_DEPTH = 64;

/**
 * The same value with the keys of every object in order, so that the engine's own writer writes the canonical form: several
 * times as fast as writing it here. What is in order is not copied.
 */
function inOrder(value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return HALF.test(value) ? UNUSUAL : value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : UNUSUAL;
  if (typeof value !== 'object' || depth > MOST_DEPTH) return UNUSUAL;
  if (Array.isArray(value)) return listInOrder(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return UNUSUAL;
  return mappingInOrder(value as Record<string, unknown>, depth);
}

function listInOrder(list: readonly unknown[], depth: number): unknown {
  let copy: unknown[] | null = null;
  for (let at = 0; at < list.length; at += 1) {
    const item = inOrder(list[at], depth + 1);
    if (item === UNUSUAL) return UNUSUAL;
    if (item !== list[at]) copy ??= [...list];
    if (copy !== null) copy[at] = item;
  }
  return copy ?? list;
}

function mappingInOrder(mapping: Record<string, unknown>, depth: number): unknown {
  const keys = Object.keys(mapping);
  let sorted = true;
  let before = '';
  for (const key of keys) {
    if (isUnusualKey(key)) return UNUSUAL;
    if (before > key) sorted = false;
    before = key;
  }
  let copy: Record<string, unknown> | null = sorted ? null : {};
  let done = 0;
  for (const key of sorted ? keys : keys.sort()) {
    const was = mapping[key];
    // What is not defined is left out by every writer of JSON.
    const is = was === undefined ? undefined : inOrder(was, depth + 1);
    if (is === UNUSUAL) return UNUSUAL;
    if (is !== was) copy ??= Object.fromEntries(keys.slice(0, done).map((it) => [it, mapping[it]]));
    if (copy !== null) copy[key] = is;
    done += 1;
  }
  return copy ?? mapping;
}

function isUnusualKey(key: string): boolean {
  return isOddKey(key) || HALF.test(key);
}

/** An object puts keys that are numbers before all others, whatever order they are given in. */
function isOddKey(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first >= 0x30 && first <= 0x39) || key === 'toJSON' || key === '__proto__';
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `what` is named in the refusal: `the head`. Throws EDW_ERR_FORMAT_TOO_LARGE, _NOT_CANONICAL, _DEPTH. */
export function parseCanonical(bytes: Uint8Array, what: string, maxBytes: number): unknown {
  if (bytes.length > maxBytes)
    throw refused('EDW_ERR_FORMAT_TOO_LARGE', `${what} has ${bytes.length} bytes, more than ${maxBytes}`);
  if (isTooDeep(bytes)) throw refused('EDW_ERR_FORMAT_DEPTH', `${what} is nested more than ${LIMITS.depth} deep`);
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw refused('EDW_ERR_FORMAT_NOT_CANONICAL', `${what} is no JSON in UTF-8`);
  }
  if (holdsProto(text) || !isWrittenAs(value, text))
    throw refused('EDW_ERR_FORMAT_NOT_CANONICAL', `${what} is not in the canonical form of RFC 8785`);
  return value;
}

function isWrittenAs(value: unknown, text: string): boolean {
  // Halves of pairs can stand in UTF-8 as escapes alone.
  if (!text.includes('\\ud') && isInOrder(value)) return JSON.stringify(value) === text;
  try {
    return canonicalJson(value) === text;
  } catch {
    return false; // 1e400 is read as infinity, and half a surrogate pair is read at all: neither can be written.
  }
}

/** Whether the engine's own writer writes what was parsed here in canonical form. False is no verdict. */
function isInOrder(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isInOrder);
  const mapping = value as Record<string, unknown>;
  let before = '';
  for (const key of Object.keys(mapping)) {
    if (before > key || isOddKey(key)) return false;
    before = key;
    if (!isInOrder(mapping[key])) return false;
  }
  return true;
}

/** A key that JavaScript would take for something else is in no document of ours. */
function holdsProto(text: string): boolean {
  return text.includes('"__proto__"');
}

/** Counted on the bytes: a parser that recurses would have fallen already. */
export function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inText) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > LIMITS.depth) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return false;
}
