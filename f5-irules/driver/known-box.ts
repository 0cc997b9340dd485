import type { Verified } from './groups.ts';
import type { Layout, LayoutMemo } from './layout/index.ts';

/** A policy comes into force without these: an administrator can do them. */
export type Refusable = 'save' | 'sync';

/** What this process remembers of a point. All of it may be lost: a new process only looks more closely, and says less. */
export interface KnownBox {
  memo: LayoutMemo;
  /** Of the policy that this process put into force, or found in force, last. */
  layout: Layout | null;
  verified: Verified;
  /** Groups that the map does not name, and since when. */
  unusedSinceMs: Map<string, number>;
  /** Groups that were found otherwise than they should be, since the map last told of a repair. */
  changed: Set<string>;
  /** What the role of the point's user does not allow. */
  refused: Set<Refusable>;
  /** URL of the unit that was active last. */
  active: string | null;
  /**
   * What the other unit waits for since it was last seen in sync. `ours`: it was in sync when an apply began. `others`:
   * changes of somebody else were waiting already.
   */
  waiting: 'ours' | 'others' | null;
  /** Of a pair: what both units held when an apply that began in sync had written its last. */
  written: { url: string; own: string; peers: string } | null;
}

export function unknownBox(): KnownBox {
  return {
    memo: new Map(),
    layout: null,
    verified: new Map(),
    unusedSinceMs: new Map(),
    changed: new Set(),
    refused: new Set(),
    active: null,
    waiting: null,
    written: null,
  };
}
