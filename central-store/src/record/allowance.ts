import { parseEntry, type RecordEntry } from './entry.ts';
import { linesOf, segmentsIn } from './segments.ts';

/** Whether the last word of a record on this is that it was allowed, and not that it failed. The whole of it is read. */
export async function isAllowed(dir: string, about: Pick<RecordEntry, 'action' | 'target'>): Promise<boolean> {
  let last: RecordEntry['outcome'] | null = null;
  for (const { path } of await segmentsIn(dir))
    for await (const { text } of linesOf(path)) {
      // Few lines name it; only those are worth parsing.
      const entry = text?.includes(about.target) ? parseEntry(text) : null;
      if (entry?.action !== about.action || entry.target !== about.target) continue;
      if (entry.outcome === 'allowed' || entry.outcome === 'failed') last = entry.outcome;
    }
  return last === 'allowed';
}
