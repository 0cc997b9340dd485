import type { Verified } from './groups.ts';
import type { Layout, LayoutMemo } from './layout/index.ts';

/** What this process remembers of a point. All of it may be lost: a new process only looks more closely, and says less. */
export interface KnownBox {
  memo: LayoutMemo;
  /** Of the policy that this process put into force, or found in force, last. */
  layout: Layout | null;
  verified: Verified;
  /** Groups that the map does not name, and since when. */
  unusedSinceMs: Map<string, number>;
  /** URL of the unit that was active last. */
  active: string | null;
  /**
   * What the other unit waits for since it was last seen in sync. `ours`: it was in sync when an apply began. `others`:
   * changes of somebody else were waiting already.
   */
  waiting: 'ours' | 'others' | null;
}

export function unknownBox(): KnownBox {
  return { memo: new Map(), layout: null, verified: new Map(), unusedSinceMs: new Map(), active: null, waiting: null };
}
