import type { DataRecord } from '../layout/index.ts';

/**
 * What requests an outcome lets through, and how two outcomes differ. Conditions are compared, not requests: where several
 * cover one only together, more is said to be gained or lost than is, and never less.
 */
export interface Request {
  /** `deny` among what is gained: a denial that ends; among what is lost: a new one. */
  by: 'allow' | 'deny';
  /** null: any. Path in canonical percent-encoding, all below it where it ends in `/*`. */
  method: string | null;
  path: string | null;
  host: string | null;
}

export const EVERY: Request = { by: 'allow', method: null, path: null, host: null };

/** Conditions of a request group by their key, put together again where a value goes on in the next record. */
export function readRequests(records: Iterable<DataRecord>): Map<string, Request[]> {
  const values = new Map<string, string>();
  for (const { name, data } of records) values.set(name, data);
  const requests = new Map<string, Request[]>();
  for (const key of values.keys()) if (!key.includes('.')) requests.set(key, conditionsIn(wholeValue(values, key)));
  return requests;
}

function wholeValue(values: ReadonlyMap<string, string>, key: string): string {
  let text = values.get(key) ?? '';
  for (let part = 1; text.endsWith(' +') && values.has(`${key}.${part}`); part += 1)
    text = `${text.slice(0, -1)}${values.get(`${key}.${part}`)}`;
  return text;
}

function conditionsIn(text: string): Request[] {
  const words = text.split(' ');
  const conditions: Request[] = [];
  for (let at = 0; at + 4 < words.length; at += 5) {
    const [action, , methods = '*', path = '*', hosts = '*'] = words.slice(at, at + 5);
    for (const method of methods.split(','))
      for (const host of hosts.split(','))
        conditions.push({
          by: action === 'deny' ? 'deny' : 'allow',
          method: anyOr(method),
          path: anyOr(path),
          host: anyOr(host),
        });
  }
  return conditions;
}

function anyOr(word: string): string | null {
  return word === '*' ? null : word;
}

export interface RequestChanges {
  gained: Request[];
  lost: Request[];
}

export function compareRequests(before: readonly Request[], after: readonly Request[]): RequestChanges {
  return { gained: newIn(after, before), lost: newIn(before, after) };
}

/** What `now` lets through and `old` did not. */
function newIn(now: readonly Request[], old: readonly Request[]): Request[] {
  const allows = now.filter(({ by }) => by === 'allow');
  const added = allows.filter((request) => !old.some((other) => other.by === 'allow' && covers(other, request)));
  // A denial that ends gives something only where something is allowed.
  const ended = old.filter(
    (request) =>
      request.by === 'deny' &&
      !now.some((other) => other.by === 'deny' && covers(other, request)) &&
      allows.some((other) => meets(other, request)),
  );
  return [...added.filter((request) => !isDenied(request, now)), ...ended];
}

function isDenied(request: Request, requests: readonly Request[]): boolean {
  return requests.some(({ by, ...rest }) => by === 'deny' && covers({ by, ...rest }, request));
}

function covers(wide: Request, narrow: Request): boolean {
  const same = (a: string | null, b: string | null): boolean => a === null || a === b;
  return same(wide.method, narrow.method) && same(wide.host, narrow.host) && coversPath(wide.path, narrow.path);
}

/** `/a/*` is `/a` and all below. */
function coversPath(wide: string | null, narrow: string | null): boolean {
  if (wide === null || wide === narrow || wide === '/*') return true;
  if (narrow === null || !wide.endsWith('/*')) return false;
  const stem = wide.slice(0, -2);
  const own = narrow.endsWith('/*') ? narrow.slice(0, -2) : narrow;
  return own === stem || own.startsWith(`${stem}/`);
}

function meets(one: Request, other: Request): boolean {
  const agree = (a: string | null, b: string | null): boolean => a === null || b === null || a === b;
  const paths = coversPath(one.path, other.path) || coversPath(other.path, one.path);
  return agree(one.method, other.method) && agree(one.host, other.host) && paths;
}

/** `GET /v1/*`, `any method /x at shop.example`, `every request`. */
export function requestText({ method, path, host }: Request): string {
  if (method === null && path === null && host === null) return 'every request';
  return [method ?? 'any method', path ?? 'any path', ...(host === null ? [] : [`at ${host}`])].join(' ');
}
