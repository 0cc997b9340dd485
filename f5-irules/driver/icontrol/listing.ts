/**
 * A whole collection, page by page. A box calls itself https://localhost in its links: of a link only the query is
 * used, and only when it leads to the same collection. Pages and bytes are bounded.
 */

import { isObject } from './answer.ts';
import type { Caller } from './caller.ts';
import { failure } from './failures.ts';
import type { Json } from './icontrol.ts';

interface ListOptions {
  origin: string;
  /** Of all pages together. */
  maxBytes: number;
}

const MAX_PAGES = 1000;

export async function listAll(caller: Caller, path: string, search: string, options: ListOptions): Promise<Json[]> {
  const items: Json[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  let next: string | null = search;
  while (next !== null) {
    if (seen.has(next) || seen.size >= MAX_PAGES) throw wrong(path, options, 'its pages have no end');
    seen.add(next);
    const verdict = await caller.call({ method: 'GET', path, search: next });
    if (verdict.state === 'failed') throw verdict.error;
    if (verdict.state === 'absent') return items;
    bytes += verdict.bytes;
    if (bytes > options.maxBytes) throw wrong(path, options, `it has more than ${options.maxBytes} bytes`);
    items.push(...itemsOf(verdict.body, path, options));
    next = nextOf(verdict.body.nextLink, path, options);
  }
  return items;
}

/** An empty collection has no `items`, but it says what it is. Anything else must not pass for an empty one. */
function itemsOf(body: Json, path: string, options: ListOptions): Json[] {
  const { items, kind } = body;
  if (items === undefined && typeof kind === 'string' && kind.endsWith('collectionstate')) return [];
  if (Array.isArray(items) && items.every(isObject)) return items;
  throw wrong(path, options, 'it is no collection');
}

function nextOf(link: unknown, path: string, options: ListOptions): string | null {
  if (link === undefined) return null;
  const parsed = typeof link === 'string' ? URL.parse(link, options.origin) : null;
  const isHere = parsed?.hostname === 'localhost' || parsed?.origin === options.origin;
  if (parsed === null || !isHere || decoded(parsed.pathname) !== decoded(`/mgmt/${path}`)) {
    throw wrong(path, options, 'its next page is somewhere else');
  }
  return parsed.search;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function wrong(path: string, { origin }: ListOptions, why: string): Error {
  return failure('EDW_ERR_BIGIP_ANSWER', `listing ${path} at ${origin}: ${why}`);
}
