/**
 * In which order an agent ends, whichever of its parts began first. Nobody changes rules any more before what was denied is
 * counted for the last time, and the state is written before another agent may begin.
 */
import type { Lifecycle } from '@edgeward/runtime';

/** The first closes first. */
const ORDER = ['following', 'guard', 'policy', 'point', 'denials', 'state lock', 'service link'] as const;

type Part = (typeof ORDER)[number];
type Close = () => Promise<void> | void;

/** The answer registers a part. What begins while the agent ends already is closed at once. */
export function orderedEnd(lifecycle: Lifecycle): (part: Part, close: Close) => void {
  const begun = new Map<Part, Close>();
  for (const part of ORDER.toReversed()) lifecycle.onClose(part, () => begun.get(part)?.());
  return (part, close) => {
    if (lifecycle.ending.aborted) lifecycle.onClose(part, close);
    else begun.set(part, close);
  };
}
