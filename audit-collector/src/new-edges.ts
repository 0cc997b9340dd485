/**
 * Which denial is the first from its source labels to its object and port: what an operator wants to be told of once. The
 * ledger keeps these edges; what it had at the start and what was stored since is remembered here, so that nobody asks it
 * for each denial. New means: not in the ledger when this process began, and not seen by it since. Past the bound of the
 * ledger nothing is new any more: it counts further edges as one.
 */
import { createHash } from 'node:crypto';
import type { DenyEvent } from './deny-event.ts';
import { labelText } from './ledger/label-sets.ts';
import type { Ledger } from './ledger/ledger.ts';
import { type Edge, rollupBounds } from './ledger/rollups.ts';

export interface NewEdges {
  /** From then on it is known. */
  isNew(event: Pick<DenyEvent, 'sourceLabels' | 'object' | 'port'>): boolean;
}

/** What one query answers at most. */
const page = 10_000;
const mostRecent = 5_000;
const longestRecent = 1_000;

/** Asks the ledger once, or once for each object where it has very many. */
export async function newEdges(ledger: Pick<Ledger, 'edges' | 'sums'>): Promise<NewEdges> {
  const known = new Set<string>();
  /** Of those that are not new: a flood is of few, and costs no digest each. */
  const recent = new Set<string>();
  const remember = (edges: readonly Edge[]): void => {
    for (const { sourceLabels, object, port } of edges)
      if (sourceLabels !== null) known.add(nameOf(sourceLabels, object, port));
  };
  const latest = await ledger.edges({ limit: page });
  remember(latest);
  const objects = new Set(ledger.sums().totals.map(({ object }) => object));
  if (latest.length === page) for (const object of objects) remember(await ledger.edges({ object, limit: page }));
  return {
    isNew({ sourceLabels, object, port }) {
      const key = `${labelText(sourceLabels)}${JSON.stringify(object)}${port}`;
      if (recent.has(key)) return false;
      if (recent.size >= mostRecent) recent.clear();
      if (key.length <= longestRecent) recent.add(key);
      const name = nameOf(sourceLabels, object, port);
      if (known.has(name) || known.size >= rollupBounds.edges) return false;
      known.add(name);
      return true;
    },
  };
}

/** A digest: labels may be long, and there may be fifty thousand. */
function nameOf(labels: Record<string, string>, object: string, port: string): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([sorted, object, port]))
    .digest('base64')
    .slice(0, 22);
}
