/**
 * Hints of one client: the points that have something new, each once however often it changed before it was sent. A client
 * that reads slowly gets fewer of them, and costs no more memory.
 */
import type { ServerEvent } from '@edgeward/runtime';
import type { Publishing } from '../publishing/index.ts';

export async function* hintsFor(
  publishing: Publishing,
  points: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const own = new Set(points);
  const pending = new Set<string>();
  let wake = (): void => {};
  const stop = publishing.onPublished((point) => {
    if (!own.has(point)) return;
    pending.add(point);
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      for (const point of [...pending]) {
        pending.delete(point);
        yield { event: 'hint', data: { point, revision: publishing.point(point)?.cursor.revision ?? 0 } };
      }
      if (pending.size === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stop();
    signal.removeEventListener('abort', onAbort);
  }
}
