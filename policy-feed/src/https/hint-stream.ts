/**
 * Hints over server-sent events: one stream for all points of a service, opened again with jitter whenever it ends, for
 * whatever reason. It fails in silence: whoever listens polls as well.
 */
import { backoff, type Clock, type Logger, messageOf } from '@edgeward/runtime';
import { storeFailure } from '../failures.ts';
import type { Site } from './call.ts';
import { eventsOf, hintIn } from './event-stream.ts';

export interface HintStreamOptions {
  site: Site;
  onHint: (point: string) => void;
  clock: Clock;
  logger: Logger;
  random: () => number;
}

const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 30_000;

/** The answer ends it. */
export function followHints(options: HintStreamOptions): () => void {
  const { site, clock, logger } = options;
  const ending = new AbortController();
  const pauses = backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random: options.random });
  const doing = `following the hints of ${site.url.origin}`;
  let cancel: () => void = () => {};

  async function follow(): Promise<void> {
    try {
      for await (const data of eventsOf(await open(site, doing, ending.signal), doing)) {
        pauses.reset();
        const point = hintIn(data);
        if (point !== null) options.onHint(point);
      }
    } catch (thrown) {
      if (!ending.signal.aborted) logger.debug({ event: 'hints_lost', store: site.url.origin }, messageOf(thrown));
    }
    if (!ending.signal.aborted) cancel = clock.after(pauses.nextMs(), () => void follow());
  }

  void follow();
  return () => {
    ending.abort();
    cancel();
  };
}

async function open(site: Site, doing: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const headers = { accept: 'text/event-stream' };
  const answer = await site.stream({ method: 'GET', path: '/v1/events', headers, doing }, signal);
  // What is destroyed before its end says so as an event that nobody else waits for.
  answer.body.on('error', () => {});
  if (answer.statusCode === 200) return answer.body;
  answer.body.destroy();
  throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: it answered ${answer.statusCode}`);
}
