/** Entries of a record as they come over the network, each checked against the one before. The numbers have no gap. */
import { canonicalJson, digestOf } from '@edgeward/policy-format';
import * as z from 'zod';

export interface ShownEntry {
  seq: number;
  at: string;
  actor: string;
  by: string;
  action: string;
  target: string;
  outcome: string;
  prev: string;
  digest?: string | undefined;
  code?: string | undefined;
  reason?: string | undefined;
  revision?: number | undefined;
}

export interface RecordChain {
  /** The entry, and what is wrong with its place; null where nothing is. */
  take(line: string): { entry: ShownEntry | null; problem: string | null };
  size(): number;
  /** Of the last entry; empty where it could not be read. */
  hash(): string;
}

const schema: z.ZodType<ShownEntry> = z.strictObject({
  seq: z.int().min(1),
  at: z.string(),
  actor: z.string(),
  by: z.string(),
  action: z.string(),
  target: z.string(),
  outcome: z.string(),
  prev: z.string(),
  digest: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().optional(),
  revision: z.number().optional(),
});

export const FIRST_PREV: string = '0'.repeat(64);

/** `after` 0 begins with the first entry; from elsewhere the first one that comes is believed to follow. */
export function createRecordChain(after: number): RecordChain {
  let size = after;
  let hash: string | null = after === 0 ? FIRST_PREV : null;

  function follow(entry: ShownEntry): string | null {
    if (entry.seq !== size + 1) return `entry ${entry.seq} stands in the place of ${size + 1}`;
    return hash === null || hash === '' || entry.prev === hash
      ? null
      : `entry ${entry.seq} does not follow the one before`;
  }

  return {
    size: () => size,
    hash: () => hash ?? '',
    take(line) {
      const entry = entryOf(line);
      if (entry === null) {
        size += 1;
        hash = '';
        return { entry, problem: `entry ${size} can not be read` };
      }
      const problem = follow(entry);
      size = Math.max(size + 1, entry.seq);
      // As it is written to disk: whoever carries it may write keys in another order.
      hash = digestOf(canonicalJson(entry));
      return { entry, problem };
    },
  };
}

function entryOf(line: string): ShownEntry | null {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}
