/** A last hop in memory, over a transport: what it takes over was verified by the product's own checks. */
import {
  acceptDelta,
  acceptHead,
  type Cursor,
  cursorOf,
  type Floor,
  type PointState,
  verifyFirstRoot,
} from '@edgeward/policy-format';
import type { News } from '../../src/index.ts';
import type { Stage } from './stage.ts';

export interface Hop {
  state: PointState | null;
  cursor(): Cursor | null;
  take(news: News): Promise<void>;
}

export const NEVER: AbortSignal = new AbortController().signal;

export function hopOf(stage: Stage): Hop {
  const { point, transport } = stage;
  let floor: Floor | null = null;
  const hop: Hop = {
    state: null,
    cursor: () => (hop.state === null ? null : cursorOf(hop.state)),
    async take(news) {
      if (news.state === 'unchanged') return;
      const task = {
        point,
        floor,
        root: verifyFirstRoot(stage.pinned),
        nowMs: stage.clock.now(),
        fetch: {
          blob: (digest: string, maxBytes: number) => transport.blob(digest, maxBytes, NEVER),
          root: (version: number) => transport.root(version, NEVER),
          keepRoot: async () => {},
        },
      };
      const accepted =
        news.state === 'head' || hop.state === null
          ? await acceptHead({ ...task, known: hop.state, head: news.state === 'head' ? news.head : news.delta.head })
          : await acceptDelta({ ...task, known: hop.state, delta: news.delta });
      hop.state = accepted.state;
      floor = accepted.floor;
    },
  };
  return hop;
}

export function next(stage: Stage, known: Cursor | null, waitMs = 0, signal: AbortSignal = NEVER): Promise<News> {
  return stage.transport.next(stage.point, known, { waitMs, signal });
}
