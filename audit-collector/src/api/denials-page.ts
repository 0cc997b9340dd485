/**
 * One page of denials. What was stored before the page was asked for is in it, or behind its cursor, or does not match: so
 * `after` leads to what comes later, also where nothing matched, and whoever follows a rare denial looks at nothing twice.
 */
import type { StoredDenial, Uncovered } from '../ledger/ledger.ts';
import { checkSearch, type DenialPage, type DenialSearch } from '../ledger/search.ts';
import { askedPage, type DenialsQuery } from './denials-query.ts';
import { type FlatDenial, flat } from './flat-denial.ts';
import type { DenialReader } from './reader.ts';

export interface DenialsAnswer {
  denials: FlatDenial[];
  uncovered: Uncovered[];
  after: number;
  cursor: string | null;
  cutShort: boolean;
}

/** Of a search that an index does not answer. */
const searchTimeMs = 2_000;
const pageRows = 1_000;
/** An answer is one text, and all of it is in memory: where events are large there are fewer on a page. */
const pageChars = 16 * 1024 * 1024;

/** Throws EDW_ERR_QUERY. */
export async function denialsPage(ledger: DenialReader, query: DenialsQuery): Promise<DenialsAnswer> {
  const { search, isTail, isFirst } = askedPage(query);
  // Asked first: what is stored meanwhile is above it.
  const [newest] = await ledger.denials({ newest: true, limit: 1 });
  const page = await pagesTogether(ledger, search, query.limit);
  const uncovered = isFirst ? await uncoveredOf(ledger, query, page.denials) : [];
  return {
    denials: (isTail ? page.denials.toReversed() : page.denials).map(flat),
    uncovered,
    after: seenUpTo(search, page, newest?.id ?? 0),
    cursor: page.cursor,
    cutShort: page.isCutShort,
  };
}

/** A ledger gives a thousand at a time. */
async function pagesTogether(ledger: DenialReader, search: DenialSearch, limit: number): Promise<DenialPage> {
  const endMs = performance.now() + searchTimeMs;
  const denials: StoredDenial[] = [];
  let { cursor } = search;
  let chars = 0;
  for (;;) {
    const timeMs = endMs - performance.now();
    const page = await ledger.search({ ...search, cursor, timeMs, limit: Math.min(pageRows, limit - denials.length) });
    denials.push(...page.denials);
    if (page.cursor === null || page.isCutShort || denials.length >= limit) return { ...page, denials };
    chars += JSON.stringify(page.denials).length;
    if (chars >= pageChars) return { ...page, denials };
    cursor = page.cursor;
  }
}

/** The id up to which everything was looked at, or lies behind the cursor to the older ones. */
function seenUpTo({ order, cursor }: DenialSearch, page: DenialPage, newestId: number): number {
  const ids = page.denials.map(({ id }) => id);
  if (order !== 'oldest') return Math.max(newestId, ...ids.slice(0, 1));
  if (page.cursor !== null) return checkSearch({ order, cursor: page.cursor }).after ?? 0;
  return Math.max(newestId, checkSearch({ order, cursor }).after ?? 0, ...ids.slice(-1));
}

async function uncoveredOf(
  ledger: DenialReader,
  { sinceMs, untilMs, point }: DenialsQuery,
  found: readonly StoredDenial[],
): Promise<Uncovered[]> {
  const starts = found.map(({ event }) => Date.parse(event.windowStart));
  const fromMs = sinceMs ?? starts.reduce((first, start) => Math.min(first, start), starts[0] ?? 0);
  const uncovered = await ledger.uncovered({ sinceMs: fromMs, point });
  return uncovered.filter(({ windowStart }) => untilMs === undefined || Date.parse(windowStart) < untilMs);
}
