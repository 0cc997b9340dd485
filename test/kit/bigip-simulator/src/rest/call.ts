/**
 * One call as handlers see it: method, decoded path, query, JSON body. Everything in it comes from outside and is bounded
 * before it gets here; reading it refuses with what a BIG-IP would say and never throws anything else.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { invalidJson, type Json, Refusal, refuseRest } from './answer.ts';

export interface Call {
  method: string;
  /** Path and query as they were sent. */
  target: string;
  /** Path without `/mgmt`, split and decoded: `['tm', 'ltm', 'rule', '~Common~r']`. */
  segments: readonly string[];
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Of the client. */
  address: string;
}

const maxDepth = 64;

/** The segments below `/mgmt`, or null for another path or one that can't be decoded. */
export function segmentsOf(path: string): string[] | null {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts[0] !== 'mgmt') return null;
  try {
    return parts.slice(1).map((part) => decodeURIComponent(part));
  } catch {
    return null;
  }
}

/** The body as an object; anything else is the framework's error about invalid JSON. */
export function bodyOf(call: Call): Json {
  const parsed = parse(call.body);
  if (!isJson(parsed) || !isShallow(parsed)) throw new Refusal(invalidJson());
  return parsed;
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function header(call: Call, name: string): string | undefined {
  const value = call.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** `Public URI path not registered: /tm/ltm/nothing`, as restjavad says it. */
export function refusePath(call: Call): never {
  return refuseRest(404, `Public URI path not registered: /${call.segments.join('/')}`);
}

function parse(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    // A key that reaches a prototype would be one that the caller did not mean. A reviver is slow, so only where one is.
    return text.includes('__proto__') ? JSON.parse(text, withoutPrototype) : JSON.parse(text);
  } catch {
    return null;
  }
}

function withoutPrototype(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}

/** What nests deeper than any configuration is refused before something recursive meets it. */
function isShallow(value: Json): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth < maxDepth; depth += 1) {
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
    if (level.length === 0) return true;
  }
  return false;
}
