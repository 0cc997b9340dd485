/**
 * What a request asks for, or that nobody can say safely. Written from the list of unsafe forms in the semantics, one
 * line for each; the path is decoded in one piece and looked at afterwards.
 */
import type { Flow } from '../../src/flow.ts';

export interface Request {
  method: string;
  path: string;
  host: string | null;
}

const ABSOLUTE_FORM = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)(.*)$/s;

const splitTarget = (target: string): { authority: string | null; rest: string } => {
  const absolute = ABSOLUTE_FORM.exec(target);
  if (absolute === null) return { authority: null, rest: target };
  return { authority: absolute[1] ?? '', rest: absolute[2] ?? '' };
};

/** Decoded once, as UTF-8; null when the bytes are no UTF-8. */
const decode = (path: string): string | null => {
  if (/\p{Surrogate}/u.test(path)) return null;
  const bytes: number[] = [];
  for (const piece of path.match(/%[0-9a-fA-F]{2}|[^%]+/g) ?? []) {
    if (piece.startsWith('%')) bytes.push(Number.parseInt(piece.slice(1), 16));
    else bytes.push(...new TextEncoder().encode(piece));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
};

/** Empty segments go first, then `.` and `..`; null when the path climbs above the root. */
const resolve = (decoded: string): string | null => {
  const segments = decoded.split('/').filter((segment) => segment !== '');
  const last = segments.at(-1);
  const endsInSlash = decoded.endsWith('/') || last === '.' || last === '..';
  const kept: string[] = [];
  for (const segment of segments) {
    if (segment === '.') continue;
    if (segment !== '..') kept.push(segment);
    else if (kept.pop() === undefined) return null;
  }
  if (kept.length === 0) return '/';
  return `/${kept.join('/')}${endsInSlash ? '/' : ''}`;
};

const hasControl = (text: string): boolean =>
  [...text].some((character) => character < ' ' || character === String.fromCharCode(0x7f));

const readPath = (rest: string): string | null => {
  const beforeQuery = rest.split('?')[0] ?? '';
  const raw = beforeQuery === '' ? '/' : beforeQuery;
  if (!raw.startsWith('/')) return null;
  if (raw.includes('#')) return null;
  if (raw.includes('\\')) return null;
  if (/%(?![0-9a-fA-F]{2})/.test(raw)) return null;
  if (/%2f|%5c/i.test(raw)) return null;
  const decoded = decode(raw);
  if (decoded === null) return null;
  if (hasControl(decoded)) return null;
  if (/%[0-9a-fA-F]{2}/.test(decoded)) return null;
  if (decoded.split('/').some((segment) => /^\.\.?;/.test(segment))) return null;
  return resolve(decoded);
};

const plainHost = (host: string): string =>
  host
    .replace(/[A-Z]/g, (capital) => String.fromCharCode(capital.charCodeAt(0) + 32))
    .replace(/:[0-9]*$/, '')
    .replace(/\.$/, '');

/** null when the request can't be judged safely. */
export const readRequest = (flow: Flow): Request | null => {
  const method = flow.method ?? 'GET';
  if (method === 'CONNECT') return null;
  const { authority, rest } = splitTarget(flow.path ?? '/');
  // `?q` alone is a target that does not begin with a slash; only an absolute form may leave its path out before a query.
  if (authority === null && rest.startsWith('?')) return null;
  if (authority !== null && (authority === '' || authority.includes('@'))) return null;
  const sent = flow.host === undefined ? [] : [flow.host].flat();
  const hosts = new Set([...(authority === null ? [] : [authority]), ...sent].map(plainHost));
  if (hosts.size > 1) return null;
  const path = readPath(rest);
  if (path === null) return null;
  return { method, path, host: [...hosts][0] ?? null };
};
