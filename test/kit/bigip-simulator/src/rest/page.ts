/** `$filter`, `$select`, `$top` and `$skip` on a list. Of filters only `partition eq X` is one; others change nothing. */
import { type Json, refuseBox } from './answer.ts';

export function filterPartition(query: URLSearchParams): string | null {
  return /^\s*partition\s+eq\s+'?"?([^\s'"]+)/i.exec(query.get('$filter') ?? '')?.[1] ?? null;
}

export function selected(view: Json, query: URLSearchParams): Json {
  const names = query
    .get('$select')
    ?.split(',')
    .map((name) => name.trim());
  if (names === undefined || names.every((name) => name === '')) return view;
  return Object.fromEntries(Object.entries(view).filter(([property]) => names.includes(property)));
}

export function pageOf<Item>(
  items: readonly Item[],
  query: URLSearchParams,
  link: (query: string) => string,
): {
  items: readonly Item[];
  frame: Json;
} {
  const top = countOf(query, '$top');
  const skip = countOf(query, '$skip') ?? 0;
  if (top === null) return { items: items.slice(skip), frame: {} };
  const shown = items.slice(skip, skip + top);
  const frame: Json = {
    currentItemCount: shown.length,
    itemsPerPage: top,
    pageIndex: Math.floor(skip / top) + 1,
    startIndex: skip + 1,
    totalItems: items.length,
    totalPages: Math.ceil(items.length / top),
  };
  if (skip + top < items.length) frame.nextLink = link(`${restOf(query)}$top=${top}&$skip=${skip + top}`);
  if (skip > 0) frame.previousLink = link(`${restOf(query)}$top=${top}&$skip=${Math.max(0, skip - top)}`);
  return { items: shown, frame };
}

function countOf(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null) return null;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < (name === '$top' ? 1 : 0)) {
    refuseBox(400, `invalid property value "${name}":"${text}"`, 1);
  }
  return count;
}

function restOf(query: URLSearchParams): string {
  const kept = new URLSearchParams([...query].filter(([name]) => !['$top', '$skip', 'ver'].includes(name)));
  const text = kept.toString().replaceAll('%24', '$');
  return text === '' ? '' : `${text}&`;
}
