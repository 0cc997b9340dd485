/** What may be asked of `GET /v1/denials`, and the search that it stands for. */

import { type DenyReason, type DenyVerdict, denyReasons } from '@edgeward/deny-log';
import * as z from 'zod';
import { checkSearch, cursorAfter, type DenialSearch, type LabelSought } from '../ledger/search.ts';
import { choice, instant, wholeNumber, words, wrongQuery } from './query.ts';

export interface DenialsQuery {
  limit: number;
  order?: 'oldest' | 'newest' | undefined;
  cursor?: string | undefined;
  after?: number | undefined;
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  point?: string | undefined;
  object?: string | undefined;
  source?: string | undefined;
  label?: string[] | undefined;
  rule?: string | undefined;
  reason?: DenyReason | undefined;
  verdict?: DenyVerdict | undefined;
  ref?: string | undefined;
}

const labelForm = /^(source|object)\.([^=]{1,330})=(.{0,512})$/su;
const labelAccepts = 'a label of one end, as in source.env=prod or object.app=shop';

export const denialsQuery: z.ZodType<DenialsQuery> = z.strictObject({
  limit: wholeNumber(1, 10_000, 'At most so many denials, 1 to 10,000; 100 without it')
    .optional()
    .default(100) as unknown as z.ZodType<number>,
  order: choice(
    ['oldest', 'newest'],
    'From which end of the list, by when they were stored. Without it the oldest first where `sinceMs` or `after` is given, and otherwise the newest `limit`, listed oldest first',
  ).optional(),
  cursor: words('Of the page before, with the same query: the next page').optional(),
  after: instant(
    'Only what was stored after this id, oldest first: what came since. The answer gives the next one',
  ).optional(),
  sinceMs: instant('Only denials from this time on, by the clock of the point').optional(),
  untilMs: instant('Only denials before this time').optional(),
  point: words('Only of this point').optional(),
  object: words('Only of this protected object').optional(),
  source: words('Only from this address or network, as in 10.30.1.5 or 10.30.0.0/16').optional(),
  label: z
    .array(z.string().regex(labelForm, { error: labelAccepts }))
    .max(16, { error: 'at most 16 labels' })
    .describe(
      'Only with this label of the source or of the object, as in `source.env=prod`. May be repeated: all of them hold',
    )
    .optional(),
  rule: words('Only denied by this rule; empty: only where no rule decided').optional(),
  reason: choice(denyReasons, 'Only for this reason').optional(),
  verdict: choice(['deny', 'would-deny'], 'Only with this verdict').optional(),
  ref: words('Only with this reference').optional(),
});

export interface AskedPage {
  search: DenialSearch & { order: 'oldest' | 'newest' };
  /** The newest, listed oldest first. */
  isTail: boolean;
  /** What points counted alone is told with it. */
  isFirst: boolean;
}

/** Throws EDW_ERR_QUERY. */
export function askedPage(query: DenialsQuery): AskedPage {
  const { limit: _, order: asked, cursor, after, label, ...filters } = query;
  if (after !== undefined && cursor !== undefined) {
    throw wrongQuery('after', String(after), 'left out where a cursor says where to go on');
  }
  if (after !== undefined && asked === 'newest') throw wrongQuery('order', asked, 'oldest, or left out, with `after`');
  const order = asked ?? (after !== undefined || query.sinceMs !== undefined ? 'oldest' : 'newest');
  const from = after === undefined ? cursor : cursorAfter(after, false);
  const search = {
    ...filters,
    order,
    cursor: from,
    ...(label === undefined ? {} : { labels: label.map(labelSought) }),
  };
  // Before anything is asked: what is wrong is the query's, whatever becomes of the ledger.
  checkSearch(search);
  return { search, isTail: asked === undefined && order === 'newest', isFirst: from === undefined };
}

function labelSought(text: string): LabelSought {
  const [, end, key = '', value = ''] = labelForm.exec(text) ?? [];
  return { end: end === 'object' ? 'object' : 'source', key, value };
}
