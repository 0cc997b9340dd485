/**
 * One stream of hints for whoever listens: the store sends those of all points that the certificate names, so a stream for
 * each of a thousand points would carry the same thousand times.
 */
type OnHint = (point: string) => void;

/** `open` starts the stream and answers with what ends it: with the first listener, and with the last. */
export function shareHints(
  open: (onHint: OnHint) => () => void,
): (points: readonly string[], onHint: OnHint) => () => void {
  const listeners = new Map<object, { points: ReadonlySet<string>; onHint: OnHint }>();
  let end: (() => void) | null = null;

  function tell(point: string): void {
    for (const { points, onHint } of [...listeners.values()]) if (points.has(point)) onHint(point);
  }

  return (points, onHint) => {
    const own = {};
    listeners.set(own, { points: new Set(points), onHint });
    end ??= open(tell);
    return () => {
      if (!listeners.delete(own) || listeners.size > 0) return;
      end?.();
      end = null;
    };
  };
}
