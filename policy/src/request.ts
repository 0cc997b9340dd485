import type { HttpCondition } from './compiled.ts';

/**
 * A request in the one form that rules are compared with. What can't be brought into it without guessing is unsafe,
 * because the server behind the point might read it differently from us (RFC 3986 §6, and the tricks that live on
 * it: double decoding, encoded slashes, path parameters, climbing segments).
 */
export interface PlainRequest {
  method: string;
  /** Decoded once, dot segments resolved, empty segments dropped, a final slash kept. */
  path: string;
  /** Lower case, without port and final dot; null where the request names none. */
  host: string | null;
}

/** The plain form of a request, or null when it can't be judged safely. */
export function plainRequest(
  method: string | undefined,
  target: string | undefined,
  host: string | string[] | undefined,
): PlainRequest | null {
  if (method === 'CONNECT') return null;
  let origin = target === undefined || target === '' ? '/' : target;
  const hosts = host === undefined ? [] : typeof host === 'string' ? [host] : host.slice();
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(origin);
  if (absolute !== null) {
    // A target's authority must be a host; whoever reads a user into it may read another host than we do.
    if (absolute[1] === '' || (absolute[1] as string).indexOf('@') >= 0) return null;
    hosts.unshift(absolute[1] as string);
    origin = origin.slice(absolute[0].length);
    if (origin === '' || origin.charAt(0) === '?') origin = `/${origin}`;
  }
  const agreed = agreeingHost(hosts);
  const path = plainPath(origin);
  if (agreed === undefined || path === null) return null;
  return { method: method === undefined || method === '' ? 'GET' : method, path, host: agreed };
}

/** Whether one alternative of a rule's `http` fits: every key that it gives must. */
export function conditionMatches(condition: HttpCondition, request: PlainRequest): boolean {
  if (condition.methods !== undefined && condition.methods.indexOf(request.method) < 0) return false;
  if (condition.path !== undefined && !pathMatches(condition.path, request.path)) return false;
  if (condition.hosts === undefined) return true;
  return request.host !== null && condition.hosts.indexOf(request.host) >= 0;
}

/** `/a/*` is `/a` and all below; anything else is itself only. */
function pathMatches(pattern: string, path: string): boolean {
  if (pattern.slice(-2) !== '/*') return path === pattern;
  const base = pattern.slice(0, -2);
  return path === base || path.slice(0, base.length + 1) === `${base}/`;
}

/** Lower case, without port and final dot; null where nothing is left. */
export function plainHost(authority: string): string | null {
  const host = authority
    // ASCII alone, as servers do it: Unicode would make a `k` of the Kelvin sign, and another host of this one.
    .replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase())
    .replace(/:[0-9]*$/, '')
    .replace(/\.$/, '');
  return host === '' ? null : host;
}

function agreeingHost(hosts: string[]): string | null | undefined {
  let agreed: string | null = null;
  for (let i = 0; i < hosts.length; i += 1) {
    const host = plainHost((hosts[i] as string).trim());
    if (i > 0 && host !== agreed) return undefined;
    agreed = host;
  }
  return agreed;
}

/** The path of an origin-form target in plain form, or null when it is unsafe. The query is never looked at. */
function plainPath(target: string): string | null {
  const question = target.indexOf('?');
  const raw = question < 0 ? target : target.slice(0, question);
  if (raw.charAt(0) !== '/') return null;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\x00-\x1f\x7f\\#]/.test(raw)) return null;
  const decoded = decodeOnce(raw);
  return decoded === null ? null : resolveSegments(decoded);
}

function decodeOnce(raw: string): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: anything beyond ASCII is what is looked for.
  if (!/[^\x00-\x24\x26-\x7e]/.test(raw)) return raw;
  if (/%(2f|5c|[01][0-9a-f]|7f)/i.test(raw)) return null;
  let decoded: string;
  try {
    // Throws on a malformed escape, on bytes that are no UTF-8 and (encode) on a lone surrogate.
    decoded = decodeURIComponent(raw);
    encodeURIComponent(decoded);
  } catch (_malformed) {
    return null;
  }
  return /%[0-9a-f]{2}/i.test(decoded) ? null : decoded;
}

function resolveSegments(path: string): string | null {
  const segments = path.split('/');
  const kept: string[] = [];
  let slash = false;
  for (let i = 1; i < segments.length; i += 1) {
    const segment = segments[i] as string;
    slash = segment === '' || segment === '.' || segment === '..';
    if (segment === '' || segment === '.') continue;
    if (segment === '..') {
      if (kept.pop() === undefined) return null;
      continue;
    }
    if (/^\.\.?;/.test(segment)) return null;
    kept.push(segment);
  }
  return `/${kept.join('/')}${slash && kept.length > 0 ? '/' : ''}`;
}
