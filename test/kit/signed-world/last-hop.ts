/** A point's side of a signed world: what it holds and remembers, in memory, taken over by the product's own checks. */
import {
  type Accepted,
  acceptDelta,
  acceptHead,
  cursorOf,
  type Delta,
  type Fetch,
  type Floor,
  type PointState,
  type SignedDocument,
  type TrustRoot,
  verifyFirstRoot,
} from '@edgeward/policy-format';
import type { SignedWorld } from './signed-world.ts';

export interface LastHop {
  state: PointState | null;
  floor: Floor | null;
  root: TrustRoot;
  /** Trust roots that were kept, in order. */
  readonly kept: number[];
  fetch: Fetch;
  /** Throws `Nacked`, and holds what it held. Default: the world's head for this point. */
  take(head?: unknown): Promise<Accepted>;
  /** Default: the world's delta from what is held. */
  takeDelta(delta?: Delta): Promise<Accepted>;
}

export function createLastHop(world: SignedWorld, point: string): LastHop {
  const kept: number[] = [];
  const keep = (accepted: Accepted): Accepted => {
    hop.state = accepted.state;
    hop.floor = accepted.floor;
    return accepted;
  };
  const hop: LastHop = {
    state: null,
    floor: null,
    root: verifyFirstRoot(world.pinned),
    kept,
    fetch: {
      blob: async (digest) => world.blob(digest),
      root: async (version) => world.rootDocument(version),
      keepRoot: async (_document: SignedDocument, root: TrustRoot) => {
        kept.push(root.version);
        hop.root = root;
      },
    },
    take: async (head = world.head(point)) => keep(await acceptHead({ ...task(), head })),
    async takeDelta(given) {
      const known = hop.state;
      const delta = known === null ? null : (given ?? world.delta(point, cursorOf(known)));
      if (known === null || delta === null) throw new Error('there is no delta from what is held');
      return keep(await acceptDelta({ ...task(), known, delta }));
    },
  };
  const task = () => ({
    point,
    known: hop.state,
    floor: hop.floor,
    root: hop.root,
    fetch: hop.fetch,
    nowMs: world.nowMs,
  });
  return hop;
}
