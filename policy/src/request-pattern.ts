import type { HttpCondition } from './compiled.ts';

/**
 * What requests two sets of conditions let through, compared by condition and never by example. Everything that is
 * gained or lost lies in a pattern that is told, and of each pattern that is told something is really gained or lost:
 * methods, hosts and the paths below a prefix never run out, so some request fits a pattern and no narrower one.
 * Requests that can't be judged safely are left aside.
 */
export interface RequestPattern {
  /** null: any. */
  method: string | null;
  /** All below it as well where it ends in `/*`. */
  path: string | null;
  host: string | null;
}

export interface Request extends RequestPattern {
  /** `deny` among what is gained: a denial that ends; among what is lost: a new one. */
  by: 'allow' | 'deny';
}

export const EVERY_REQUEST: RequestPattern = { method: null, path: null, host: null };

/** The conditions of one rule, one pattern for each method and host; null: no condition. */
export function patternsOf(http: HttpCondition[] | null): RequestPattern[] {
  if (http === null) return [EVERY_REQUEST];
  const out: RequestPattern[] = [];
  http.forEach((condition) => {
    const path = condition.path ?? null;
    (condition.methods ?? [null]).forEach((method) => {
      (condition.hosts ?? [null]).forEach((host) => {
        out.push({ method, path, host });
      });
    });
  });
  return out;
}

export interface RequestChanges {
  gained: Request[];
  lost: Request[];
}

/** A request passes that fits one of `allow` and none of `deny`. */
export function compareRequests(before: readonly Request[], after: readonly Request[]): RequestChanges {
  return { gained: newIn(after, before), lost: newIn(before, after) };
}

/** Whether whatever fits `request` and nothing narrower passes. */
export function passes(requests: readonly Request[], request: RequestPattern): boolean {
  return covered(requests, 'allow', request) && !covered(requests, 'deny', request);
}

/** Patterns that pass, each once; what a wider one holds is not told apart. */
export function passing(requests: readonly Request[]): Request[] {
  return widest(requests.filter((it) => it.by === 'allow' && !covered(requests, 'deny', it)));
}

function covered(requests: readonly Request[], by: Request['by'], request: RequestPattern): boolean {
  return requests.some((it) => it.by === by && covers(it, request));
}

/** What `now` lets through and `old` did not: among what is allowed now, and where that meets what was denied. */
function newIn(now: readonly Request[], old: readonly Request[]): Request[] {
  const found: Request[] = [];
  const add = (it: RequestPattern): void => {
    if (!passes(now, it) || passes(old, it)) return;
    const by = covered(old, 'allow', it) ? 'deny' : 'allow';
    found.push({ by, method: it.method, path: it.path, host: it.host });
  };
  now.forEach((allowed) => {
    if (allowed.by !== 'allow') return;
    add(allowed);
    old.forEach((denied) => {
      const both = denied.by === 'deny' ? overlap(allowed, denied) : null;
      if (both !== null) add(both);
    });
  });
  return widest(found);
}

function widest(requests: Request[]): Request[] {
  return requests.filter(
    (it, i) => !requests.some((other, k) => k !== i && covers(other, it) && (k < i || !covers(it, other))),
  );
}

/** Whether every request that fits `narrow` fits `wide`. */
export function covers(wide: RequestPattern, narrow: RequestPattern): boolean {
  return holds(wide.method, narrow.method) && holds(wide.host, narrow.host) && coversPath(wide.path, narrow.path);
}

function holds(wide: string | null, narrow: string | null): boolean {
  return wide === null || wide === narrow;
}

function coversPath(wide: string | null, narrow: string | null): boolean {
  // Every path begins with a slash.
  if (wide === null || wide === narrow || wide === '/*') return true;
  if (narrow === null || wide.slice(-2) !== '/*') return false;
  const stem = wide.slice(0, -2);
  const own = narrow.slice(-2) === '/*' ? narrow.slice(0, -2) : narrow;
  return own === stem || own.slice(0, stem.length + 1) === `${stem}/`;
}

/** What fits both; null where nothing does. */
function overlap(one: RequestPattern, other: RequestPattern): RequestPattern | null {
  if (!agree(one.method, other.method) || !agree(one.host, other.host)) return null;
  const path = coversPath(one.path, other.path) ? other.path : coversPath(other.path, one.path) ? one.path : undefined;
  if (path === undefined) return null;
  return { method: one.method ?? other.method, path, host: one.host ?? other.host };
}

function agree(one: string | null, other: string | null): boolean {
  return one === null || other === null || one === other;
}

/** `GET /v1/*`, `any method /x at shop.example`, `every request`. */
export function requestText(it: RequestPattern): string {
  if (it.method === null && it.path === null && it.host === null) return 'every request';
  const where = it.host === null ? '' : ` at ${it.host}`;
  return `${it.method ?? 'any method'} ${it.path ?? 'any path'}${where}`;
}
