import canonicalize from 'canonicalize';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';

/**
 * RFC 8785, written and read. Reading accepts canonical bytes only: then no key can stand twice, nothing hides in white
 * space, and whoever signed a value signed these bytes. Size and depth are looked at before anything is parsed.
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('a value that JSON can not say was to be written');
  return text;
}

/** `what` is named in the refusal: `the head`. Throws EDW_ERR_FORMAT_TOO_LARGE, _NOT_CANONICAL, _DEPTH. */
export function parseCanonical(bytes: Uint8Array, what: string, maxBytes: number): unknown {
  if (bytes.length > maxBytes)
    throw refused('EDW_ERR_FORMAT_TOO_LARGE', `${what} has ${bytes.length} bytes, more than ${maxBytes}`);
  if (isTooDeep(bytes)) throw refused('EDW_ERR_FORMAT_DEPTH', `${what} is nested more than ${LIMITS.depth} deep`);
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw refused('EDW_ERR_FORMAT_NOT_CANONICAL', `${what} is no JSON in UTF-8`);
  }
  if (holdsProto(text) || !isWrittenAs(value, text))
    throw refused('EDW_ERR_FORMAT_NOT_CANONICAL', `${what} is not in the canonical form of RFC 8785`);
  return value;
}

function isWrittenAs(value: unknown, text: string): boolean {
  try {
    return canonicalJson(value) === text;
  } catch {
    return false; // 1e400 is read as infinity, and half a surrogate pair is read at all: neither can be written.
  }
}

/** A key that JavaScript would take for something else is in no document of ours. */
function holdsProto(text: string): boolean {
  return text.includes('"__proto__"');
}

/** Counted on the bytes: a parser that recurses would have fallen already. */
function isTooDeep(bytes: Uint8Array): boolean {
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
