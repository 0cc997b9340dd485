/** Who was ever denied where, by labels. The one that was seen last stands at the end. */
import * as z from 'zod';
import { instant, wholeNumber, words } from './query.ts';
import type { DenialReader } from './reader.ts';

export interface EdgesQuery {
  sinceMs?: number | undefined;
  firstSinceMs?: number | undefined;
  object?: string | undefined;
  limit: number;
}

export const edgesQuery: z.ZodType<EdgesQuery> = z.strictObject({
  sinceMs: instant('Only pairs that were denied since this time').optional(),
  firstSinceMs: instant('Only pairs that were never denied before this time').optional(),
  object: words('Only of this protected object').optional(),
  limit: wholeNumber(1, 10_000, 'At most so many, 1 to 10,000, those that were seen last; 1,000 without it')
    .optional()
    .default(1_000) as unknown as z.ZodType<number>,
});

export interface SeenEdge {
  sourceLabels: Record<string, string> | null;
  object: string;
  port: string;
  count: number;
  firstSeen: string;
  lastSeen: string;
  firstRevision: number;
}

export interface EdgesAnswer {
  edges: SeenEdge[];
  cutShort: boolean;
}

const rowLimit = 10_000;

export async function edgesAnswer(ledger: DenialReader, query: EdgesQuery): Promise<EdgesAnswer> {
  const { object, limit, firstSinceMs = 0 } = query;
  const sinceMs = Math.max(query.sinceMs ?? 0, firstSinceMs);
  const rows = await ledger.edges({ sinceMs, object, limit: rowLimit });
  const edges = rows.filter(({ firstMs }) => firstMs >= firstSinceMs);
  return {
    edges: edges.slice(-limit).map(({ firstMs, lastMs, ...edge }) => ({
      ...edge,
      firstSeen: new Date(firstMs).toISOString(),
      lastSeen: new Date(lastMs).toISOString(),
    })),
    cutShort: rows.length >= rowLimit || edges.length > limit,
  };
}
